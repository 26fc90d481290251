#pragma once

#include "core/pipeline/substitution.hpp"
#include "core/plugin/value.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace certcast {

/// Reads `targets`: a list of names and tables, or { file = ".." } with lines NAME key=value ...
/// Reports every mistake, in the file of targets too.
std::vector<Target> read_targets(const RawValue& targets, const std::string& path,
                                 const std::filesystem::path& folder, Diagnostics& diagnostics);

/// Whether they are { discover = true }: for the plugin to find.
bool are_to_be_discovered(const RawValue& targets, const std::string& path,
                          Diagnostics& diagnostics);

bool is_target_name(const std::string& name);

/// Reads the lines of a file of targets.
std::vector<Target> parse_target_lines(std::string_view text, const std::string& file,
                                       Diagnostics& diagnostics);

/// What the pipeline says of a target, as plugins are given it.
Value value_of(const RawValue& raw);

}  // namespace certcast
