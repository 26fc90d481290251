#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/http.hpp>

#include <chrono>

namespace cdn {

/// Signs a request to Huawei Cloud (SDK-HMAC-SHA256): adds X-Sdk-Date, X-Security-Token where there
/// is one, and Authorization. All headers that are there already are signed.
/// https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
void sign_sdk_hmac(certcast::http::Request& request, const Credentials& credentials,
                   std::chrono::system_clock::time_point now);

}  // namespace cdn
