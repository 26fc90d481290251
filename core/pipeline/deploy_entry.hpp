#pragma once

#include "core/pipeline/needs.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/pipeline/read_pipeline.hpp"
#include "core/pipeline/sandbox_reading.hpp"
#include "core/pipeline/secret_reading.hpp"
#include "core/pipeline/timing.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace certcast {

/// What all entries of a pipeline share while they are read.
struct DeployContext {
    std::filesystem::path folder;
    const FindDeployer& find;
    const RawValue& vars;  ///< a table
    std::size_t size_of_vars;
    Timing defaults;
    Limits limits;  ///< the defaults
    SandboxChoices sandboxes;
    std::vector<std::string> certificates;  ///< names of all
    SecretReading& secrets;
    Diagnostics& diagnostics;
    std::size_t& expanded;       ///< bytes of all entries so far, written out for each target
    WrittenDeployment* written;  ///< to be filled in; nullptr: none
    const DiscoveredTargets* discovered;  ///< nullptr: nobody has looked
};

/// Reads one [deploy.NAME] and adds a deployment for each of its targets, or one without targets.
void read_deploy_entry(const RawEntry& entry, const DeployContext& context,
                       std::vector<Deployment>& deployments, std::vector<WrittenNeed>& needs);

}  // namespace certcast
