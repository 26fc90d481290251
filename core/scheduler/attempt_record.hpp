#pragma once

#include "core/scheduler/attempt_runner.hpp"

namespace certcast {

/// Writes down what the latest attempt came to. `changed_before`: an earlier one of this run has
/// changed what this one may have found unchanged.
void record(DeploymentReport& report, AttemptResult result, bool changed_before);

/// Writes down what became of one that was held. `why_put_back`: empty where it was kept.
void record_conclusion(DeploymentReport& report, AttemptResult result,
                       const std::string& why_put_back);

/// Writes down that there was no attempt, or that it broke the host, and why.
void record_failure(DeploymentReport& report, Ended ended, Category category, std::string message);

}  // namespace certcast
