#pragma once

#include <cstdio>
#include <string>

namespace certcast::testing {

/// Each byte of a text in a format of printf, like "%%%02x".
inline std::string each_byte(const std::string& text, const char* format) {
    std::string out;
    for (const char byte : text) {
        char one[8];
        std::snprintf(one, sizeof one, format,
                      static_cast<unsigned>(static_cast<unsigned char>(byte)));
        out += one;
    }
    return out;
}

}  // namespace certcast::testing
