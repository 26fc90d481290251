#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/http.hpp>

#include <chrono>
#include <string>

namespace cdn {

/// Signs a request to Alibaba Cloud (ACS3-HMAC-SHA256): adds x-acs-date, x-acs-signature-nonce,
/// x-acs-content-sha256, x-acs-security-token where there is one, and Authorization. Signed are
/// Host, Content-Type and all x-acs-*. A nonce is good for one request.
/// https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
void sign_acs3(certcast::http::Request& request, const Credentials& credentials,
               const std::string& nonce, std::chrono::system_clock::time_point now);

}  // namespace cdn
