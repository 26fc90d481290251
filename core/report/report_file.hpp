#pragma once

#include "core/base/error.hpp"
#include "core/report/text_filter.hpp"
#include "core/scheduler/run_report.hpp"

#include <boost/json/object.hpp>

#include <filesystem>

namespace certcast {

/// What went wrong, or null.
boost::json::value error_of(const Outcome& outcome, const TextFilter& filter);

/// One deployment as it stands in the report file, which programs read.
boost::json::object to_json(const DeploymentReport& deployment, const TextFilter& filter);
boost::json::object to_json(const RunReport& report, const TextFilter& filter);

/// Whether a report can be written there; asked before a run, so that it does not come to nothing.
Result<void> report_can_be_written(const std::filesystem::path& file);

/// Writes the report in one go, readable by its owner alone: outputs of plugins are in it.
Result<void> write_report(const std::filesystem::path& file, const RunReport& report,
                          const TextFilter& filter);

}  // namespace certcast
