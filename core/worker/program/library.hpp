#pragma once

#include <certcast/plugin.h>

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/base/secret.hpp"

#include <string>
#include <string_view>

namespace certcast::program {

/// Loads a plugin for the rest of the process's life, then undoes what its constructors may have
/// done to the process: signals, mask, umask, folder, environment.
Result<const certcast_plugin*> load_plugin(const std::string& path);

/// The deployer with this id, or nullptr.
const certcast_deployer* find_deployer(const certcast_plugin& plugin, std::string_view id);

/// What the host's decode_library reads.
Secret encode_plugin(const certcast_plugin& plugin, bool started_threads);

/// Counts the threads of this process, even from within a sandbox that was entered after this was
/// made.
class ThreadCount {
public:
    ThreadCount();
    /// Also where they cannot be counted.
    bool more_than_one() const;

private:
    Fd status_;  ///< no folder, from which a way would lead around mounts that come later
};

}  // namespace certcast::program
