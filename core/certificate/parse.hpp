#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <string>

namespace certcast {

/// What kinds of things a file held.
struct Found {
    bool certificate = false;
    bool key = false;

    bool nothing() const { return !certificate && !key; }
};

/// Adds the certificates and private keys in `content` (PEM, DER or PKCS#12) to `parts`. Requests,
/// parameters and everything unknown are passed over; what is damaged or cannot be decrypted is an
/// error. `where` is the file, for messages.
Result<Found> parse_into(CertificateParts& parts, const Secret& content, const Secret& passphrase,
                         const std::string& where);

}  // namespace certcast
