#include "plugins/cdn/signing/sdk_hmac.hpp"

#include "plugins/cdn/signing/digest.hpp"

namespace cdn {

void sign_sdk_hmac(certcast::http::Request& request, const Credentials& credentials,
                   std::chrono::system_clock::time_point now) {
    static constexpr const char* algorithm = "SDK-HMAC-SHA256";
    const std::string time = time_text(now, "%Y%m%dT%H%M%SZ");
    request.headers.emplace_back("X-Sdk-Date", time);
    if (!credentials.token.empty()) {
        request.headers.emplace_back("X-Security-Token", credentials.token);
    }
    const UrlParts url = parts_of(request.url);
    CanonicalRequest canonical{.method = request.method,
                               .path = url.path,
                               .query = canonical_query(url.query),
                               .headers = canonical_headers(request, {}),
                               .body_hash = sha256_hex(request.body)};
    // Whether the request's own ends so or not.
    if (!canonical.path.ends_with('/')) canonical.path += '/';
    const std::string to_sign =
        std::string(algorithm) + "\n" + time + "\n" + sha256_hex(canonical.text());
    request.headers.emplace_back(
        "Authorization", std::string(algorithm) + " Access=" + credentials.id +
                             ", SignedHeaders=" + canonical.signed_headers() +
                             ", Signature=" + hex(hmac_sha256(credentials.secret, to_sign)));
}

}  // namespace cdn
