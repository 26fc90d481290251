#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/http.hpp>

#include <chrono>
#include <string>

namespace cdn {

/// For whom a request to AWS is signed (Signature Version 4).
struct SigV4 {
    std::string region;
    std::string service;
    bool normalizes_path = true;  ///< as all services but S3 do
    bool sends_body_hash = false;

    /// Adds X-Amz-Date, X-Amz-Security-Token where there is one, and Authorization. All headers
    /// that are there already are signed. The path of the URL is signed encoded once more.
    void sign(certcast::http::Request& request, const Credentials& credentials,
              std::chrono::system_clock::time_point now) const;
    CanonicalRequest canonical(const certcast::http::Request& request) const;
};

}  // namespace cdn
