#pragma once

#include "plugins/ssh/login.hpp"

#include <certcast/job.hpp>

#include <libssh/libssh.h>

namespace ssh {

/// Says whose key is looked for in which file, before the session is connected: it asks for a kind
/// of key that is there. libssh looks into two files at most, so several become one.
void set_known_hosts(ssh_session session, const Login& login, const certcast::Job& job);

/// Returns where the session is with the host that the login means, as its fingerprint or its files
/// of known hosts say; otherwise throws.
void check_host_key(ssh_session session, const Login& login, const certcast::Job& job);

}  // namespace ssh
