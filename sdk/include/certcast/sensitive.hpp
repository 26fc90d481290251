// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace detail {

/// Overwrites what it gives back, so that a growing buffer leaves no copy behind.
template <typename T>
struct WipingAllocator {
    using value_type = T;  // NOLINT(readability-identifier-naming): the standard's name

    WipingAllocator() = default;
    template <typename U>
    constexpr WipingAllocator(const WipingAllocator<U>&) noexcept {}  // NOLINT: containers convert

    T* allocate(std::size_t count) { return std::allocator<T>().allocate(count); }
    void deallocate(T* data, std::size_t count) noexcept {
        ::explicit_bzero(data, count * sizeof(T));
        std::allocator<T>().deallocate(data, count);
    }
    friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

}  // namespace detail

/// Text or bytes that are wiped when they are dropped: keys, passwords, files that may hold either.
class Sensitive {
public:
    Sensitive() = default;
    explicit Sensitive(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) {}

    /// Lives as long as this object is not changed.
    std::string_view text() const { return {bytes_.data(), bytes_.size()}; }
    const char* data() const { return bytes_.data(); }
    char* data() { return bytes_.data(); }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }

    void resize(std::size_t size) { bytes_.resize(size); }
    Sensitive& operator+=(std::string_view more) {
        bytes_.insert(bytes_.end(), more.begin(), more.end());
        return *this;
    }
    friend Sensitive operator+(Sensitive left, std::string_view right) { return left += right; }
    friend Sensitive operator+(Sensitive left, const Sensitive& right) {
        return left += right.text();
    }
    friend Sensitive operator+(std::string_view left, const Sensitive& right) {
        return Sensitive(left) += right.text();
    }
    friend bool operator==(const Sensitive& left, std::string_view right) {
        return left.text() == right;
    }
    friend bool operator==(const Sensitive& left, const Sensitive& right) {
        return left.text() == right.text();
    }

private:
    std::vector<char, detail::WipingAllocator<char>> bytes_;
};

/// An argument: bytes of whatever kind, looked at until the call returns.
class ByteView {
public:
    ByteView(std::string_view text) : text_(text) {}           // NOLINT: converts on purpose
    ByteView(const std::string& text) : text_(text) {}         // NOLINT
    ByteView(const char* text) : text_(text) {}                // NOLINT
    ByteView(const Sensitive& bytes) : text_(bytes.text()) {}  // NOLINT
    ByteView(std::span<const std::byte> bytes)                 // NOLINT
        : text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}

    std::string_view text() const { return text_; }
    const char* data() const { return text_.data(); }
    const std::uint8_t* bytes() const {
        return reinterpret_cast<const std::uint8_t*>(text_.data());
    }
    std::size_t size() const { return text_.size(); }

private:
    std::string_view text_;
};

}  // namespace certcast
