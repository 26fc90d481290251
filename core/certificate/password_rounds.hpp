#pragma once

#include <openssl/x509.h>

#include <cstdint>

namespace certcast {

/// How often the algorithm hashes a password before it decrypts, as the file itself says: so much
/// work whoever wrote it can ask for. Scrypt is counted in units of about the same cost.
std::uint64_t password_rounds(const X509_ALGOR& algorithm);

}  // namespace certcast
