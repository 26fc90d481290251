#pragma once

#include <certcast/sensitive.hpp>

#include <string>

namespace cdn {

/// 32 bytes, as lower-case hexadecimal digits.
std::string sha256_hex(certcast::ByteView bytes);
/// 20 bytes likewise: for what others have fingerprinted so.
std::string sha1_hex(certcast::ByteView bytes);
/// 32 bytes: a signature, or a key for the next one.
certcast::Sensitive hmac_sha256(certcast::ByteView key, certcast::ByteView message);
std::string hex(certcast::ByteView bytes);

}  // namespace cdn
