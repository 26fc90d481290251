#pragma once

#include <certcast/plugin.h>

#include "core/base/error.hpp"
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

/// More than one thread runs in this process.
bool has_threads();

}  // namespace certcast::program
