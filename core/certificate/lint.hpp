#pragma once

#include "core/certificate/certificate_bundle.hpp"
#include "core/certificate/facts.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace certcast {

/// Adds how it can be had all the same.
Error by_guard(const std::string& guard, Error error);

/// "RSA 2048" and the like. Refuses what clients refuse: RSA below 2048 or above 8192 bits, curves
/// other than P-256, P-384 and P-521, keys that cannot sign.
Result<std::string> accepted_key_type(const X509& certificate, const std::string& where);

Result<void> check_validity(const X509& certificate, const Validity& validity,
                            std::chrono::system_clock::time_point now, const std::string& where);

/// Takes the key that belongs to the certificate out of `keys`, others are of no interest.
Result<KeyPtr> take_matching_key(std::vector<KeyPtr>& keys, const X509& certificate,
                                 const std::string& where);

}  // namespace certcast
