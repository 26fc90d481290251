#include "plugins/cdn/signing/sigv4.hpp"

#include "plugins/cdn/signing/digest.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace cdn {

namespace {

/// Without empty parts, "." and "..", as RFC 3986 has it in 6.2.2.3.
std::string normalized(std::string_view path) {
    std::vector<std::string_view> parts;
    const bool is_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, end);
        path.remove_prefix(std::min(end + 1, path.size()));
        if (part == ".." && !parts.empty()) parts.pop_back();
        if (!part.empty() && part != "." && part != "..") parts.push_back(part);
    }
    std::string whole;
    for (const std::string_view part : parts) whole.append("/").append(part);
    if (whole.empty() || is_folder) whole += '/';
    return whole;
}

}  // namespace

CanonicalRequest SigV4::canonical(const certcast::http::Request& request) const {
    const UrlParts url = parts_of(request.url);
    return {.method = request.method,
            .path = encoded_but(normalizes_path ? normalized(url.path) : url.path, "/"),
            .query = canonical_query(url.query),
            .headers = canonical_headers(request, {}),
            .body_hash = sha256_hex(request.body)};
}

void SigV4::sign(certcast::http::Request& request, const Credentials& credentials,
                 std::chrono::system_clock::time_point now) const {
    static constexpr const char* algorithm = "AWS4-HMAC-SHA256";
    const std::string time = time_text(now, "%Y%m%dT%H%M%SZ");
    const std::string date = time.substr(0, 8);
    request.headers.emplace_back("X-Amz-Date", time);
    if (!credentials.token.empty()) {
        request.headers.emplace_back("X-Amz-Security-Token", credentials.token);
    }
    if (sends_body_hash) {
        request.headers.emplace_back("X-Amz-Content-Sha256", sha256_hex(request.body));
    }
    const CanonicalRequest signed_request = canonical(request);
    const std::string scope = date + "/" + region + "/" + service + "/aws4_request";
    const std::string to_sign = std::string(algorithm) + "\n" + time + "\n" + scope + "\n" +
                                sha256_hex(signed_request.text());
    certcast::Sensitive key = "AWS4" + credentials.secret;
    for (const std::string_view part :
         {std::string_view(date), std::string_view(region), std::string_view(service),
          std::string_view("aws4_request")}) {
        key = hmac_sha256(key, part);
    }
    request.headers.emplace_back(
        "Authorization", std::string(algorithm) + " Credential=" + credentials.id + "/" + scope +
                             ", SignedHeaders=" + signed_request.signed_headers() +
                             ", Signature=" + hex(hmac_sha256(key, to_sign)));
}

}  // namespace cdn
