#pragma once

#include "plugins/probe/served_certificate.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tls {

/// nullopt: not a name of one.
std::optional<Protocol> protocol_called(std::string_view name);

/// Says on a fresh connection what its protocol says before a handshake: nothing, or a request for
/// TLS, as in RFC 3207 (SMTP), 9051 (IMAP), 2595 (POP3), 4511 (LDAP) and the manuals of PostgreSQL
/// and MySQL. What went wrong: a failure with its words, or Failure::none.
Trouble ask_for_tls(Protocol protocol, int fd, const Patience& patience);

}  // namespace tls
