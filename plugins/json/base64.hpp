#pragma once

#include <certcast/sensitive.hpp>

#include <optional>
#include <string_view>

namespace json_parts {

/// Without line breaks.
certcast::Sensitive to_base64(std::string_view bytes);
/// Nothing where it is not base64; line breaks and blanks are passed over.
std::optional<certcast::Sensitive> from_base64(std::string_view text);

}  // namespace json_parts
