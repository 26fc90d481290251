#pragma once

#include "plugins/kubernetes/api.hpp"

#include <boost/json/object.hpp>
#include <certcast/job.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace kubernetes {

/// What undoing takes once `wanted` is written: where that is, which certificate it holds, and what
/// was there before of the same keys.
std::string undo_record(const std::optional<boost::json::object>& before,
                        const boost::json::object& wanted, const ObjectName& secret,
                        const Api& api);
/// The same for a workload that is restarted.
std::string undo_record(const ObjectName& workload, const Api& api);

/// Brings back what was there; nothing where the secret does not hold what was written. What others
/// have written since stays. Throws config_error where the pipeline leads elsewhere by now, and
/// conflict_error where others have written to a secret that was not there before.
void undo(std::string_view record, const ObjectName& secret, Api& api, const certcast::Job& job);
/// Restarts it once more, without waiting for it; one that is gone is passed over.
void undo_restart(std::string_view record, const std::string& name_space, Api& api,
                  const certcast::Job& job);

}  // namespace kubernetes
