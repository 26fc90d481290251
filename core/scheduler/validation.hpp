#pragma once

#include "core/scheduler/attempt_services.hpp"

#include <string>
#include <vector>

namespace certcast {

/// What a plugin finds about the configuration of one deployment.
struct DeploymentFinding {
    Deployment* deployment = nullptr;
    Finding finding;
};

/// "files[0].key: summary (detail)".
std::string in_words(const Finding& finding);

/// Runs the validate stage of every deployment that has one, as many at once as the pipeline
/// allows; those that need the same of their process share a few. A plugin that fails to answer is
/// a finding too. In the order of the pipeline.
boost::asio::awaitable<std::vector<DeploymentFinding>> validate_all(AttemptServices services,
                                                                    Pipeline& pipeline);

}  // namespace certcast
