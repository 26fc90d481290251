#include "plugins/ssh/words.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace ssh {

std::string lower(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return small;
}

std::optional<std::uint16_t> port_in(std::string_view text) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, port);
    if (error != std::errc() || stop != end || port == 0) return std::nullopt;
    return port;
}

bool fits(const std::string& text, const std::string& pattern) {
    std::string glob;
    for (const char c : pattern) {
        if (c == '[' || c == '\\') glob += '\\';
        glob += c;
    }
    return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

std::string expanded(std::string_view text,
                     const std::function<std::optional<std::string>(char)>& meaning) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        const char letter = i + 1 < text.size() ? text[i + 1] : '\0';
        const std::optional<std::string> meant = letter == '%' ? "%" : meaning(letter);
        result += meant.value_or("%");
        if (meant) ++i;
    }
    return result;
}

}  // namespace ssh
