#include "core/base/utf8.hpp"

#include <cstddef>

namespace certcast {

bool is_utf8(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const unsigned first = byte(i);
        std::size_t length = 1;
        if (first >= 0xc2 && first <= 0xdf)
            length = 2;
        else if (first >= 0xe0 && first <= 0xef)
            length = 3;
        else if (first >= 0xf0 && first <= 0xf4)
            length = 4;
        else if (first >= 0x80)
            return false;
        if (length > text.size() - i) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((byte(i + k) & 0xc0u) != 0x80) return false;
        }
        if (length > 2) {
            const unsigned second = byte(i + 1);
            if (first == 0xe0 && second < 0xa0) return false;
            if (first == 0xed && second > 0x9f) return false;
            if (first == 0xf0 && second < 0x90) return false;
            if (first == 0xf4 && second > 0x8f) return false;
        }
        i += length;
    }
    return true;
}

bool has_control_character(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7f) return true;
        // U+0080 to U+009F are spelled C2 80 to C2 9F.
        if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
            return true;
        }
    }
    return false;
}

}  // namespace certcast
