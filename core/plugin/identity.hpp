#pragma once

#include "core/plugin/descriptor.hpp"

#include <string>
#include <vector>

namespace certcast {

/// Canonical texts of a checked configuration, sorted: equal texts mean the same thing.
struct Identities {
    std::vector<std::string> deployed_to;  ///< of IDENTITY; never empty
    std::vector<std::string> exclusive;    ///< of EXCLUSIVE
    std::string account;                   ///< of ACCOUNT; empty: none
};

/// `config` was checked against the descriptor. A deployer that names no identity is told apart by
/// the deployment's name.
Identities identities_of(const Descriptor& descriptor, const Value& config,
                         const std::string& deployment);

/// Whether deployments are told apart by account: then what the plugin limits counts for each.
bool has_account(const Descriptor& descriptor);

}  // namespace certcast
