#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/http.hpp>

#include <chrono>
#include <string>

namespace cdn {

/// Signs a request to Tencent Cloud (TC3-HMAC-SHA256): adds X-TC-Timestamp, X-TC-Token where there
/// is one, and Authorization. Signed are Host, Content-Type and X-TC-Action. `service`: "ssl",
/// "cdn". https://cloud.tencent.com/document/api/400/41678
void sign_tc3(certcast::http::Request& request, const Credentials& credentials,
              const std::string& service, std::chrono::system_clock::time_point now);

}  // namespace cdn
