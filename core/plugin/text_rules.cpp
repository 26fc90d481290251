#include "core/plugin/text_rules.hpp"

#include "core/base/endpoint.hpp"
#include "core/plugin/raw_value.hpp"

#include <algorithm>

// g++ 12 sees uninitialised members in here when sanitizers are on; there are none.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <regex>
#include <unordered_map>

namespace certcast {

namespace {

constexpr std::size_t longest_pattern = 512;
constexpr std::size_t longest_matched = 1024;

/// Patterns come from plugins. This matcher takes polynomial time and no stack per character; what
/// it cannot do (back references) is refused when it is compiled.
constexpr auto syntax = std::regex::ECMAScript | std::regex_constants::__polynomial;

/// Compiled once for all the values that are to match it. Throws std::regex_error.
const std::regex& compiled(const std::string& pattern) {
    static std::unordered_map<std::string, std::regex> known;
    const auto found = known.find(pattern);
    return found != known.end() ? found->second
                                : known.emplace(pattern, std::regex(pattern, syntax)).first->second;
}

/// Each level of look-ahead goes through the rest of the text again, from every character.
bool looks_ahead(std::string_view pattern) {
    return pattern.find("(?=") != std::string_view::npos ||
           pattern.find("(?!") != std::string_view::npos;
}

}  // namespace

std::optional<std::string> wrong_url(std::string_view url) {
    const auto refuse = [&](const std::string& why) {
        // What stands before an "@" may be a password.
        const std::string shown =
            url.find('@') == std::string_view::npos ? in_quotes(url) : std::string("this");
        return shown + " is no URL: " + why + ", expected one like \"https://host/path\"";
    };
    const std::size_t separator = url.find("://");
    const std::string_view scheme = url.substr(0, separator);
    const auto belongs = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    };
    if (separator == std::string_view::npos || scheme.empty() || scheme[0] < 'a' ||
        scheme[0] > 'z' || !std::all_of(scheme.begin(), scheme.end(), belongs)) {
        return refuse("it begins with no scheme");
    }
    if (std::any_of(url.begin(), url.end(),
                    [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; })) {
        return refuse("it holds a space or a control character");
    }
    std::string_view host = url.substr(separator + 3);
    host = host.substr(0, host.find_first_of("/?#"));
    if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
        // The text may hold a password, so it is not shown.
        if (host.substr(0, at).find(':') != std::string_view::npos) {
            return "the URL holds a password: secrets are never written in the file";
        }
        host = host.substr(at + 1);
    }
    const bool has_port =
        host.rfind(':') != std::string_view::npos && (host[0] != '[' || host.back() != ']');
    if (host.empty()) return refuse("the host is missing");
    const Result<Endpoint> endpoint =
        parse_endpoint(has_port ? std::string(host) : std::string(host) + ":1");
    if (!endpoint) return refuse("its host or port is wrong");
    return std::nullopt;
}

std::optional<std::string> wrong_pattern(const std::string& pattern) {
    if (pattern.size() > longest_pattern) return "the pattern is longer than 512 bytes";
    if (looks_ahead(pattern)) {
        return "the pattern looks ahead, with \"(?=\" or \"(?!\", which is not supported; write "
               "\"[(]\" where a parenthesis is meant";
    }
    try {
        const std::regex compiled(pattern, syntax);
    } catch (const std::regex_error& failure) {
        return "the pattern is no ECMAScript regular expression: " + std::string(failure.what());
    }
    return std::nullopt;
}

std::optional<std::string> wrong_match(const std::string& text, const std::string& pattern) {
    if (text.size() > longest_matched) return "the text is longer than 1024 bytes";
    try {
        if (std::regex_match(text, compiled(pattern))) return std::nullopt;
    } catch (const std::regex_error& failure) {
        return "the plugin's pattern cannot be applied: " + std::string(failure.what());
    }
    return "expected a text that matches " + in_quotes(pattern) + ", found " + in_quotes(text);
}

std::string absolute_path(const std::filesystem::path& folder, const std::string& path) {
    std::string text = (folder / path).lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

}  // namespace certcast
