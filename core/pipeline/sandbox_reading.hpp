#pragma once

#include "core/base/sandbox.hpp"
#include "core/pipeline/table_reader.hpp"

#include <map>
#include <string>

namespace certcast {

/// What is to be made of the plugins' sandboxes.
struct SandboxChoices {
    Sandbox of_all = Sandbox::on;
    std::map<std::string, Sandbox> of_plugin;

    Sandbox of(const std::string& plugin) const;
};

/// Reads the key `sandbox` of the defaults, where a sandbox may not be switched off.
std::optional<Sandbox> read_sandbox_of_all(TableReader& reader);
/// The same of one plugin.
std::optional<Sandbox> read_sandbox_of_plugin(TableReader& reader);

}  // namespace certcast
