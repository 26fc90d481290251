#pragma once

#include "core/plugin/descriptor.hpp"
#include "core/worker/grants.hpp"
#include "core/worker/session.hpp"

namespace certcast {

/// What a deployer is granted for one configuration: what its descriptor declares, and the paths
/// that its parameters name.
Grants grants_of(const Descriptor& descriptor, const Value& config);

/// What remains of that for a session that does not use all of it.
Grants within(Reach reach, Grants grants);

/// What every process that loads the library is granted. Reads the library.
std::set<PathGrant> files_of(const std::filesystem::path& library);

/// The path with what stands there now.
PathGrant granted(Access access, const std::filesystem::path& path);

}  // namespace certcast
