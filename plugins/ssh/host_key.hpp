#pragma once

#include "plugins/ssh/login.hpp"

#include <certcast/job.hpp>

#include <libssh/libssh.h>

#include <string>

namespace ssh {

/// What to ask the host for, those first that its files know a key of.
std::string host_key_algorithms(const Login& login);

/// Returns where the session is with the host that the login means, as its fingerprint or its files
/// of known hosts say; otherwise throws.
void check_host_key(ssh_session session, const Login& login, const certcast::Job& job);

}  // namespace ssh
