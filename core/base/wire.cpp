#include "core/base/wire.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace certcast::wire {

namespace {

template <typename T>
std::array<std::byte, sizeof(T)> bytes_of(T value) {
    std::array<std::byte, sizeof(T)> bytes{};
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
    }
    return bytes;
}

template <typename T>
T little_endian(std::span<const std::byte> bytes) {
    T value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        value |= static_cast<T>(static_cast<T>(bytes[i]) << (8 * i));
    }
    return value;
}

}  // namespace

void Writer::append(const void* bytes, std::size_t size) {
    if (size == 0) return;
    if (size_ + size > buffer_.size()) {
        constexpr std::size_t least = 256;
        Secret larger = Secret::of_size(std::max({least, buffer_.size() * 2, size_ + size}));
        std::copy_n(buffer_.bytes().begin(), size_, larger.data());
        buffer_ = std::move(larger);
    }
    std::memcpy(buffer_.data() + size_, bytes, size);
    size_ += size;
}

Secret Writer::take() {
    buffer_.shrink(size_);
    size_ = 0;
    return std::move(buffer_);
}

void Writer::u8(std::uint8_t value) {
    append(&value, 1);
}

void Writer::u32(std::uint32_t value) {
    append(bytes_of(value).data(), sizeof value);
}

void Writer::u64(std::uint64_t value) {
    append(bytes_of(value).data(), sizeof value);
}

void Writer::text(std::string_view value) {
    bytes(std::as_bytes(std::span(value)));
}

void Writer::bytes(std::span<const std::byte> value) {
    u32(static_cast<std::uint32_t>(value.size()));
    append(value.data(), value.size());
}

std::span<const std::byte> Reader::take(std::size_t size) {
    if (!ok_ || size > rest_.size()) {
        ok_ = false;
        return {};
    }
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

std::uint8_t Reader::u8() {
    return little_endian<std::uint8_t>(take(1));
}

std::uint32_t Reader::u32() {
    return little_endian<std::uint32_t>(take(4));
}

std::uint64_t Reader::u64() {
    return little_endian<std::uint64_t>(take(8));
}

std::string_view Reader::text() {
    const auto taken = bytes();
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
}

std::string_view Reader::text(std::size_t longest) {
    const std::string_view found = text();
    if (found.size() <= longest) return found;
    ok_ = false;
    return {};
}

std::span<const std::byte> Reader::bytes() {
    return take(u32());
}

std::uint32_t Reader::count(std::size_t least_size, std::uint32_t most) {
    const std::uint32_t value = u32();
    if (value > rest_.size() / least_size || value > most) {
        ok_ = false;
        return 0;
    }
    return value;
}

}  // namespace certcast::wire
