// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace certcast::detail {

/// For std::unique_ptr to what a function of a C library frees.
template <auto Free>
struct FreeWith {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

}  // namespace certcast::detail
