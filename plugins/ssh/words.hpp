#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ssh {

std::string lower(std::string_view text);

/// Nothing: it is no port.
std::optional<std::uint16_t> port_in(std::string_view text);

/// As ssh's patterns go: only * and ? stand for something else.
bool fits(const std::string& text, const std::string& pattern);

/// What %h and the like mean in `text`; "%%" is "%". `meaning` gets the letter, or 0 at the end of
/// the text; nothing: it stays as it is.
std::string expanded(std::string_view text,
                     const std::function<std::optional<std::string>(char)>& meaning);

}  // namespace ssh
