#pragma once

#include "core/base/error.hpp"
#include "core/base/secret.hpp"
#include "core/pipeline/pipeline.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Takes a variable out of the environment: whoever starts a process afterwards does not hand it
/// on, and the block that the kernel shows under /proc is wiped. What was taken before is given
/// again.
std::optional<Secret> take_from_environment(const std::string& variable);

/// Reads a regular file of at most 1 MiB. Messages name the path, never what is in it.
Result<Secret> read_secret_file(const std::filesystem::path& path,
                                std::vector<std::string>& warnings);

/// Where systemd put the credential of this name.
Result<std::filesystem::path> credential_path(const std::string& name);

/// One field of a JSON object or of KEY=VALUE lines; an empty name is all, less one newline.
Result<Secret> pick_field(const Secret& document, std::string_view field);

}  // namespace certcast
