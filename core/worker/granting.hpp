#pragma once

#include "core/plugin/descriptor.hpp"
#include "core/worker/grants.hpp"
#include "core/worker/session.hpp"

namespace certcast {

/// What a deployer is granted for one configuration: what its descriptor declares, and the paths
/// that its parameters name.
Grants grants_of(const Descriptor& descriptor, const Value& config);

/// What a job takes of the process that does it, the library's own files aside. A process may do
/// one after the other that take the same.
struct WorkerNeeds {
    const Library* library = nullptr;
    Grants grants;
    Limits limits;

    bool operator==(const WorkerNeeds&) const = default;
};
WorkerNeeds needs_of(const SessionRequest& request);

/// What every process that loads the library is granted. Reads the library.
std::set<PathGrant> files_of(const std::filesystem::path& library);

/// The path with what stands there now.
PathGrant granted(Access access, const std::filesystem::path& path);

}  // namespace certcast
