// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <strings.h>
#include <certcast/errors.hpp>
#include <certcast/http.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace certcast::http {

namespace {

using std::chrono::milliseconds;

std::optional<milliseconds> until(const std::string& date) {
    const std::time_t then = curl_getdate(date.c_str(), nullptr);
    if (then < 0) return std::nullopt;
    return std::chrono::seconds(std::max<std::time_t>(then - std::time(nullptr), 0));
}

}  // namespace

std::optional<std::string_view> Response::header(std::string_view name) const {
    for (const Header& one : headers) {
        const bool is_it = one.name.size() == name.size() &&
                           ::strncasecmp(one.name.data(), name.data(), name.size()) == 0;
        if (is_it) return one.value.text();
    }
    return std::nullopt;
}

std::optional<milliseconds> Response::retry_after() const {
    const std::optional<std::string_view> text = header("Retry-After");
    if (!text) return std::nullopt;
    std::uint32_t seconds = 0;
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, seconds);
    if (error == std::errc() && stop == end) return std::chrono::seconds(seconds);
    return until(std::string(*text));
}

void expect_good(const Response& response, std::string_view what, std::string_view why) {
    if (response.is_good()) return;
    const long status = response.status;
    std::string message(what);
    message += ": the server answers " + std::to_string(status);
    if (!why.empty()) message += ": " + std::string(why);
    const std::string code = std::to_string(status);
    const milliseconds after = response.retry_after().value_or(milliseconds(0));
    if (status == 401 || status == 403 || status == 407) throw auth_error(message).code(code);
    if (status == 409 || status == 412) throw conflict_error(message).code(code);
    if (status == 408) throw timeout_error(message).code(code);
    if (status == 429 || status >= 500) throw remote_error(message).code(code).retry_later(after);
    throw remote_error(message).code(code).permanent();
}

std::string shown(std::string_view url) {
    const std::size_t query = url.find('?');
    std::string text(url.substr(0, query));
    if (query != std::string_view::npos) text += "?..";
    // A user and a password, which may have an '@' of their own.
    const std::size_t scheme = text.find("://");
    const std::size_t begin = scheme != std::string::npos ? scheme + 3 : 0;
    const std::size_t user = text.rfind('@');
    if (user != std::string::npos && user >= begin) text.erase(begin, user + 1 - begin);
    return text;
}

}  // namespace certcast::http
