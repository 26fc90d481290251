#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/plugin/raw_value.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// Finds a deployer by its id, or says in the error which there are. What it gives outlives the
/// pipeline.
using FindDeployer =
    std::function<Result<std::pair<const Library*, const Descriptor*>>(const std::string& id)>;

/// What reading a pipeline came to.
struct PipelineReading {
    std::optional<Pipeline> pipeline;     ///< only if there is no error among the diagnostics
    std::vector<Diagnostic> diagnostics;  ///< sorted by position
};

/// One deployment as the file says it, for whoever asks where that was.
struct WrittenDeployment {
    std::string name = {};  ///< which
    RawValue entry = {};    ///< with every reference replaced, empty where it is not there
    RawValue defaults = {};
};

/// Names of the targets that plugins have found, or why they have not, by entry.
using DiscoveredTargets = std::map<std::string, Result<std::vector<std::string>>>;

/// Reads and checks a pipeline file, offline: no secret is resolved, nothing is written. `written`
/// is filled in, if there is one. An entry whose plugin is to find its targets is one deployment
/// that `discovers`, unless they are among `discovered`.
PipelineReading read_pipeline(const std::filesystem::path& file, const FindDeployer& find,
                              WrittenDeployment* written = nullptr,
                              const DiscoveredTargets* discovered = nullptr);

/// The same for a text that is said to stand in `file`, which need not exist.
PipelineReading read_pipeline_text(const std::string& text, const std::filesystem::path& file,
                                   const FindDeployer& find, WrittenDeployment* written = nullptr,
                                   const DiscoveredTargets* discovered = nullptr);

}  // namespace certcast
