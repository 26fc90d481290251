#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace certcast {

/// Overwrites memory in a way that the compiler keeps.
void wipe(void* data, std::size_t size);

/// Zeros on pages that hold nothing but secrets and that no core dump shows. Throws bad_alloc.
void* take_secret_memory(std::size_t size);
/// Wipes it. `size` is what was asked for.
void return_secret_memory(void* memory, std::size_t size) noexcept;

/// Lets a container keep secrets: a block that it outgrows is wiped too.
template <typename T>
struct SecretAllocator {
    using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name

    SecretAllocator() = default;
    template <typename U>
    constexpr SecretAllocator(const SecretAllocator<U>&) noexcept {}  // NOLINT: containers convert

    T* allocate(std::size_t count) {
        static_assert(alignof(T) <= alignof(std::max_align_t));
        return static_cast<T*>(take_secret_memory(count * sizeof(T)));
    }
    void deallocate(T* data, std::size_t count) noexcept {
        return_secret_memory(data, count * sizeof(T));
    }
    /// Nothing to do: the memory is zero, and a large buffer takes pages only as it is filled.
    void construct(T*) noexcept { static_assert(std::is_trivially_default_constructible_v<T>); }
    template <typename... Arguments>
    void construct(T* place, Arguments&&... arguments) {
        std::construct_at(place, std::forward<Arguments>(arguments)...);
    }
    friend bool operator==(const SecretAllocator&, const SecretAllocator&) { return true; }
};

}  // namespace certcast
