#pragma once

#include "core/report/paint.hpp"
#include "core/report/text_filter.hpp"
#include "core/scheduler/run_report.hpp"

#include <string>

namespace certcast {

/// What a person reads at the end of a run: first what went wrong and what to do about it, failed
/// rollbacks before anything else; then the counts, and what is served now and until when.
std::string summary(const RunReport& report, const TextFilter& filter, Paint paint);

/// "3 changed, 1 unchanged, 1 timed out in 4.2 s".
std::string counts(const RunReport& report);

}  // namespace certcast
