#pragma once

#include <certcast/http.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cdn {

/// Who signs.
struct Credentials {
    std::string id;
    certcast::Sensitive secret;
    certcast::Sensitive token;  ///< of temporary ones; empty: they are lasting
};

/// A request in the one form that both sides sign: method, path, query, headers and the hash of the
/// body, a line each. All vendors here have it from AWS, with differences in what goes in.
struct CanonicalRequest {
    std::string method;
    std::string path;
    std::string query;
    std::vector<std::pair<std::string, std::string>> headers;  ///< lower-case names, sorted
    std::string body_hash;

    std::string text() const;
    /// Their names, with semicolons in between.
    std::string signed_headers() const;
};

/// Where a URL leads to, by its text: what is in front of the path as the Host header has it.
struct UrlParts {
    std::string host;
    std::string path;  ///< "/" at least
    std::string query;
};
UrlParts parts_of(std::string_view url);

/// Everything but letters, digits, "-._~" and what is in `kept` as %XX.
std::string encoded_but(std::string_view text, std::string_view kept);
/// "NAME=VALUE&..": a form, or a query.
using FormValues = std::vector<std::pair<std::string, certcast::Sensitive>>;
certcast::Sensitive form_of(const FormValues& values);
/// Its pairs encoded anew, and sorted by name and value.
std::string canonical_query(std::string_view query);

/// The headers of a request of these names, as they are signed: spaces at the ends are dropped,
/// others are one. Empty: all headers.
std::vector<std::pair<std::string, std::string>> canonical_headers(
    const certcast::http::Request& request, const std::vector<std::string>& names);

/// In UTC, as strftime has it.
std::string time_text(std::chrono::system_clock::time_point time, const char* format);

}  // namespace cdn
