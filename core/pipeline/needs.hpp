#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/plugin/raw_value.hpp"

#include <string>
#include <vector>

namespace certcast {

/// One NAME or NAME/TARGET that a deployment needs, as it was written.
struct WrittenNeed {
    std::size_t deployment = 0;  ///< index of the one that needs it
    std::string name;
    Location location;
    std::optional<Share> at_least = {};  ///< of an entry's deployments; nullopt: all
};

/// Sets needs and quorums of deployments: NAME becomes all deployments of that entry. Reports names
/// that there are not, and cycles. `entries` are the names of all entries, those that could not be
/// read included.
void resolve_needs(std::vector<Deployment>& deployments, const std::vector<WrittenNeed>& needs,
                   const std::vector<std::string>& entries, Diagnostics& diagnostics);

}  // namespace certcast
