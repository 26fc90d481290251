#pragma once

#include "plugins/kubernetes/access.hpp"

#include <certcast/job.hpp>

namespace kubernetes {

/// Runs the program that `access` names for it, without a shell and no longer than the stage lasts,
/// and takes from its output the token or the client certificate (client.authentication.k8s.io v1
/// and v1beta1). Throws auth_error where it fails, config_error where it says what cannot be
/// understood.
void take_exec_credential(Access& access, const certcast::Job& job);

}  // namespace kubernetes
