#pragma once

#include "plugins/kubernetes/api.hpp"

#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace kubernetes {

/// "deployment/NAME", "statefulset/NAME" or "daemonset/NAME"; nothing where it is none of them.
std::optional<ObjectName> workload_named(std::string_view text, std::string name_space);

/// Throws config_error where it is not there, or would not start its pods anew, and auth_error
/// where that is not granted.
void expect_can_restart(const ObjectName& workload, Api& api, const certcast::Job& job);

/// Has its pods started anew, one after the other as it says itself. False: it is not there.
bool restart(const ObjectName& workload, Api& api, const certcast::Job& job);

/// Waits until the new pods have taken the place of the old ones, also through faults of the server
/// that pass. Throws remote_error where its controller gives up, timeout_error with what is missing
/// where the time does not suffice.
void await_rollout(const ObjectName& workload, Api& api, const certcast::Job& job);

}  // namespace kubernetes
