#pragma once

namespace tls {

/// Deletes what OpenSSL has made, in a std::unique_ptr.
template <auto Free>
struct FreeWith {
    template <typename T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};

}  // namespace tls
