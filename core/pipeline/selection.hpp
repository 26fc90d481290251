#pragma once

#include "core/pipeline/pipeline.hpp"

#include <string>
#include <vector>

namespace certcast {

/// Leaves only those deployments whose NAME/TARGET or NAME matches one of the globs; needs on what
/// is left out go. No globs: everything stays. Returns a message for each glob that chooses
/// nothing, and then leaves the pipeline alone.
std::vector<std::string> select(Pipeline& pipeline, const std::vector<std::string>& globs);

}  // namespace certcast
