#pragma once

#include "core/pipeline/pipeline.hpp"

#include <string>
#include <vector>

namespace certcast {

/// Leaves only those deployments whose NAME/TARGET or NAME matches one of the globs and that have
/// one of the tags; needs on what is left out go. No globs, or no tags: all that there are. Returns
/// a message for each glob and tag that chooses nothing, and then leaves the pipeline alone.
std::vector<std::string> select(Pipeline& pipeline, const std::vector<std::string>& globs,
                                const std::vector<std::string>& tags = {});

/// Leaves only deployments of one of these certificates; needs on what is left out go.
void select_by_certificate(Pipeline& pipeline, const std::vector<std::string>& certificates);

}  // namespace certcast
