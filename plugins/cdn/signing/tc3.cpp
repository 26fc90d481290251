#include "plugins/cdn/signing/tc3.hpp"

#include "plugins/cdn/letters.hpp"
#include "plugins/cdn/signing/digest.hpp"

namespace cdn {

void sign_tc3(certcast::http::Request& request, const Credentials& credentials,
              const std::string& service, std::chrono::system_clock::time_point now) {
    static constexpr const char* algorithm = "TC3-HMAC-SHA256";
    const std::string timestamp = std::to_string(std::chrono::system_clock::to_time_t(now));
    const std::string date = time_text(now, "%Y-%m-%d");
    const UrlParts url = parts_of(request.url);
    CanonicalRequest canonical{
        .method = request.method,
        .path = url.path,
        .query = canonical_query(url.query),
        .headers = canonical_headers(request, {"content-type", "host", "x-tc-action"}),
        .body_hash = sha256_hex(request.body)};
    // Unlike others it has the values, too, in lower case.
    for (auto& [name, value] : canonical.headers) value = lower(value);
    const std::string scope = date + "/" + service + "/tc3_request";
    const std::string to_sign = std::string(algorithm) + "\n" + timestamp + "\n" + scope + "\n" +
                                sha256_hex(canonical.text());
    certcast::Sensitive key = hmac_sha256("TC3" + credentials.secret, date);
    key = hmac_sha256(key, service);
    key = hmac_sha256(key, "tc3_request");
    request.headers.emplace_back("X-TC-Timestamp", timestamp);
    if (!credentials.token.empty()) request.headers.emplace_back("X-TC-Token", credentials.token);
    request.headers.emplace_back(
        "Authorization", std::string(algorithm) + " Credential=" + credentials.id + "/" + scope +
                             ", SignedHeaders=" + canonical.signed_headers() +
                             ", Signature=" + hex(hmac_sha256(key, to_sign)));
}

}  // namespace cdn
