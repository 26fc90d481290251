#include "core/base/wire.hpp"

namespace certcast::wire {

namespace {

template <typename T>
void append_little_endian(std::vector<std::byte>& buffer, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        buffer.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
    }
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

void Writer::u8(std::uint8_t value) {
    buffer_.push_back(static_cast<std::byte>(value));
}

void Writer::u32(std::uint32_t value) {
    append_little_endian(buffer_, value);
}

void Writer::u64(std::uint64_t value) {
    append_little_endian(buffer_, value);
}

void Writer::text(std::string_view value) {
    bytes(std::as_bytes(std::span(value)));
}

void Writer::bytes(std::span<const std::byte> value) {
    u32(static_cast<std::uint32_t>(value.size()));
    buffer_.insert(buffer_.end(), value.begin(), value.end());
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

std::span<const std::byte> Reader::bytes() {
    return take(u32());
}

std::uint32_t Reader::count(std::size_t least_size) {
    const std::uint32_t value = u32();
    if (value > rest_.size() / least_size) {
        ok_ = false;
        return 0;
    }
    return value;
}

}  // namespace certcast::wire
