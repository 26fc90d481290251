#pragma once

#include "core/base/secret_memory.hpp"

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

namespace certcast {

/// Bytes of a text, from one to before the other.
struct TextRange {
    std::size_t from = 0;
    std::size_t to = 0;
};

/// What a text, or a piece of it, says when it is decoded, and where in the text each byte stands.
class Reading {
public:
    std::string_view text() const { return {bytes_.data(), bytes_.size()}; }
    TextRange place_of(std::size_t first, std::size_t last) const {
        return {places_[first].from, places_[last].to};
    }
    void add(char byte, TextRange place) {
        bytes_.push_back(byte);
        places_.push_back(place);
    }
    void clear() {
        bytes_.clear();
        places_.clear();
    }

private:
    std::vector<char, SecretAllocator<char>> bytes_;
    std::vector<TextRange> places_;
};

/// Reads the text in each way in which something may have been encoded in it: percent-encoding,
/// the escapes of JSON and C, and in every word that could be it, hex and base64 from each bit at
/// which a byte may begin. Base64 and hex go on over line ends.
void for_each_reading(std::string_view text, const std::function<void(const Reading&)>& use);

}  // namespace certcast
