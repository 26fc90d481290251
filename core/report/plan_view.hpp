#pragma once

#include "core/report/text_filter.hpp"
#include "core/scheduler/run_report.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace certcast {

/// What a run would do, told from the report of one that only looked.
std::string plan_in_a_table(const RunReport& report, const TextFilter& filter);

/// {"changes": 1, "deployments": [{"name", "action", "reason", "live", ..}]}.
boost::json::object plan_in_json(const RunReport& report, const TextFilter& filter);

/// exit_good: nothing to do. exit_changes_pending. exit_some_failed: something could not be
/// looked at.
ExitStatus plan_exit_status(const RunReport& report);

}  // namespace certcast
