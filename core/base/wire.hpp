#pragma once

#include "core/base/secret.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace certcast::wire {

/// Appends fixed-width little-endian integers and length-prefixed bytes to one buffer, which is
/// wiped when it is dropped or outgrown: it may hold a key.
class Writer {
public:
    Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() = default;

    void u8(std::uint8_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void i64(std::int64_t value) { u64(static_cast<std::uint64_t>(value)); }
    void text(std::string_view value);
    void bytes(std::span<const std::byte> value);

    std::span<const std::byte> data() const { return buffer_.bytes().first(size_); }
    std::size_t size() const { return size_; }
    Secret take();

private:
    void append(const void* bytes, std::size_t size);

    Secret buffer_;  ///< with room at its end
    std::size_t size_ = 0;
};

/// Reads what a Writer wrote, from a sender that is not trusted: reading past the end gives zeros
/// and empty texts, and ok() is false from then on. Views live as long as the buffer.
class Reader {
public:
    explicit Reader(std::span<const std::byte> data) : rest_(data) {}

    std::uint8_t u8();
    std::uint32_t u32();
    std::uint64_t u64();
    std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
    std::string_view text();
    /// A longer one counts as missing.
    std::string_view text(std::size_t longest);
    std::span<const std::byte> bytes();
    /// A count of things that take at least `least_size` bytes each, so that no count can be larger
    /// than what is there. More than `most` counts as missing.
    std::uint32_t count(std::size_t least_size, std::uint32_t most = UINT32_MAX);

    bool ok() const { return ok_; }
    /// Everything was read and nothing was missing.
    bool finished() const { return ok_ && rest_.empty(); }

private:
    std::span<const std::byte> take(std::size_t size);

    std::span<const std::byte> rest_;
    bool ok_ = true;
};

}  // namespace certcast::wire
