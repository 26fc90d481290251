#pragma once

namespace certcast {

/// Lets OpenSSL keep all that it allocates where secrets are kept: private keys pass through many
/// of its buffers. False: it has allocated something already. Call it before OpenSSL is used.
bool keep_openssl_in_secret_memory();

}  // namespace certcast
