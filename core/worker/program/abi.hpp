#pragma once

#include <certcast/plugin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace certcast::program {

inline std::string_view view(certcast_str text) {
    return {text.data == nullptr ? "" : text.data, text.data == nullptr ? 0 : text.size};
}

/// A copy of a struct that begins with its size, zero where it is shorter than ours.
template <typename T>
T covered(const T* source) {
    T value{};
    if (source == nullptr) return value;
    std::uint64_t size = 0;
    std::memcpy(&size, source, sizeof size);
    std::memcpy(&value, source, std::min<std::size_t>(size, sizeof value));
    return value;
}

}  // namespace certcast::program
