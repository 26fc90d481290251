#pragma once

#include "core/report/text_filter.hpp"
#include "core/scheduler/run_report.hpp"
#include "core/worker/session.hpp"

#include <chrono>
#include <string>

namespace certcast {

/// "timed out" and the like, for people.
std::string in_words(Status status);

/// How a deployment ended, in one line: "changed in 1.2 s, proven by probe",
/// "failed in deploy, attempt 2, 3.4 s: the message".
std::string one_line(const DeploymentReport& deployment, const TextFilter& filter);

/// "warning: message, name=value".
std::string one_line(const LogLine& line, const TextFilter& filter);

/// "2026-11-23T09:45:00.123Z".
std::string rfc3339(std::chrono::system_clock::time_point time);
/// "2026-11-23T09:45:00Z", of seconds since 1970.
std::string rfc3339_seconds(std::int64_t seconds);

}  // namespace certcast
