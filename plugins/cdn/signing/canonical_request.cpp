#include "plugins/cdn/signing/canonical_request.hpp"

#include "plugins/cdn/letters.hpp"

#include <time.h>

#include <algorithm>
#include <cctype>
#include <map>

namespace cdn {

namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string decoded(std::string_view text) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                               digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0;
        if (is_escape) {
            bytes += static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2]));
            i += 2;
        } else {
            bytes += text[i];
        }
    }
    return bytes;
}

template <typename Text>
void append_encoded(Text& out, std::string_view text, std::string_view kept) {
    static constexpr char digits[] = "0123456789ABCDEF";
    for (const char c : text) {
        if (is_unreserved(c) || kept.find(c) != std::string_view::npos) {
            out += std::string_view(&c, 1);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        const char escape[] = {'%', digits[byte >> 4], digits[byte & 15]};
        out += std::string_view(escape, sizeof(escape));
    }
}

std::string with_single_spaces(std::string_view text) {
    std::string words;
    bool gap = false;
    for (const char c : text) {
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            gap = true;
            continue;
        }
        if (gap && !words.empty()) words += ' ';
        gap = false;
        words += c;
    }
    return words;
}

}  // namespace

std::string CanonicalRequest::text() const {
    std::string lines = method + "\n" + path + "\n" + query + "\n";
    for (const auto& [name, value] : headers) lines += name + ":" + value + "\n";
    return lines + "\n" + signed_headers() + "\n" + body_hash;
}

std::string CanonicalRequest::signed_headers() const {
    std::string names;
    for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
    return names;
}

UrlParts parts_of(std::string_view url) {
    UrlParts parts;
    const std::size_t scheme = url.find("://");
    const bool is_https = url.substr(0, scheme) == "https";
    if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
    const std::size_t end = std::min(url.find_first_of("/?"), url.size());
    parts.host = url.substr(0, end);
    url.remove_prefix(end);
    const std::string usual = is_https ? ":443" : ":80";
    if (parts.host.ends_with(usual)) parts.host.resize(parts.host.size() - usual.size());
    const std::size_t question = std::min(url.find('?'), url.size());
    parts.path = question == 0 ? "/" : url.substr(0, question);
    if (question < url.size()) parts.query = url.substr(question + 1);
    return parts;
}

std::string encoded_but(std::string_view text, std::string_view kept) {
    std::string safe;
    append_encoded(safe, text, kept);
    return safe;
}

certcast::Sensitive form_of(const FormValues& values) {
    certcast::Sensitive form;
    for (const auto& [name, value] : values) {
        if (!form.empty()) form += "&";
        append_encoded(form, name, "");
        form += "=";
        append_encoded(form, value.text(), "");
    }
    return form;
}

std::string canonical_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const std::string_view value = pair.substr(std::min(equals + 1, pair.size()));
        pairs.emplace_back(encoded_but(decoded(pair.substr(0, equals)), ""),
                           encoded_but(decoded(value), ""));
    }
    std::sort(pairs.begin(), pairs.end());
    std::string sorted;
    for (const auto& [name, value] : pairs) {
        sorted += (sorted.empty() ? "" : "&") + name + "=" + value;
    }
    return sorted;
}

std::vector<std::pair<std::string, std::string>> canonical_headers(
    const certcast::http::Request& request, const std::vector<std::string>& names) {
    std::map<std::string, std::string> lines{{"host", parts_of(request.url).host}};
    for (const certcast::http::Header& header : request.headers) {
        const std::string name = lower(header.name);
        if (name == "host") continue;
        const auto [line, is_first] = lines.try_emplace(name);
        line->second += (is_first ? "" : ",") + with_single_spaces(header.value.text());
    }
    std::vector<std::pair<std::string, std::string>> chosen;
    for (auto& [name, value] : lines) {
        const bool counts =
            names.empty() || std::find(names.begin(), names.end(), name) != names.end();
        if (counts) chosen.emplace_back(name, value);
    }
    return chosen;
}

std::string time_text(std::chrono::system_clock::time_point time, const char* format) {
    const time_t seconds = std::chrono::system_clock::to_time_t(time);
    tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, strftime(text, sizeof(text), format, &parts)};
}

}  // namespace cdn
