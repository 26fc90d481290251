#include "plugins/cdn/signing/acs3.hpp"

#include "plugins/cdn/signing/digest.hpp"

#include <algorithm>

namespace cdn {

void sign_acs3(certcast::http::Request& request, const Credentials& credentials,
               const std::string& nonce, std::chrono::system_clock::time_point now) {
    static constexpr const char* algorithm = "ACS3-HMAC-SHA256";
    const std::string body_hash = sha256_hex(request.body);
    request.headers.emplace_back("x-acs-date", time_text(now, "%Y-%m-%dT%H:%M:%SZ"));
    request.headers.emplace_back("x-acs-signature-nonce", nonce);
    request.headers.emplace_back("x-acs-content-sha256", body_hash);
    if (!credentials.token.empty()) {
        request.headers.emplace_back("x-acs-security-token", credentials.token);
    }
    const UrlParts url = parts_of(request.url);
    CanonicalRequest canonical{.method = request.method,
                               .path = url.path,
                               .query = canonical_query(url.query),
                               .headers = canonical_headers(request, {}),
                               .body_hash = body_hash};
    std::erase_if(canonical.headers, [](const auto& header) {
        return header.first != "host" && header.first != "content-type" &&
               !header.first.starts_with("x-acs-");
    });
    const std::string to_sign = std::string(algorithm) + "\n" + sha256_hex(canonical.text());
    request.headers.emplace_back("Authorization",
                                 std::string(algorithm) + " Credential=" + credentials.id +
                                     ",SignedHeaders=" + canonical.signed_headers() +
                                     ",Signature=" + hex(hmac_sha256(credentials.secret, to_sign)));
}

}  // namespace cdn
