#pragma once

#include "core/plugin/raw_value.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace certcast {

/// Reads a TOML document into a table whose entries are in the order of the file, every value with
/// its position. Nothing and an error in `diagnostics`: it is no TOML, or nested too deeply.
std::optional<RawValue> parse_toml(std::string_view text, const std::string& file,
                                   Diagnostics& diagnostics);

}  // namespace certcast
