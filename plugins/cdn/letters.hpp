#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace cdn {

/// In small letters, those of ASCII.
inline std::string lower(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return small;
}

}  // namespace cdn
