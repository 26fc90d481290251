#pragma once

#include <openssl/ssl.h>

#include <string>

namespace tls {

/// Asks for it in a handshake to come. False: OpenSSL does not.
bool ask_for_staple(SSL& session);

/// Looks at the OCSP response (RFC 6960) that came with the handshake: whether it is about the
/// leaf, signed for its issuer, of now, and "good". Empty, or what is wrong with it.
std::string problem_of_staple(SSL& session);

}  // namespace tls
