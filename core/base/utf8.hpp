#pragma once

#include <string_view>

namespace certcast {

/// Well-formed UTF-8, without overlong forms and surrogates.
bool is_utf8(std::string_view text);

/// Holds a control character (line breaks and tabs included), of ASCII or of C1.
bool has_control_character(std::string_view text);

}  // namespace certcast
