#pragma once

#include "core/plugin/descriptor.hpp"

#include <string>

namespace certcast {

/// A value that an operator could write for the parameter, as TOML. Names of certificates are
/// `certificate`; a pattern that the plugin demands may not be met.
std::string example_of(const Parameter& param, const std::string& certificate);

/// "files = [...]" and the like: every required parameter, or the first where none is required.
std::string example_config(const Descriptor& descriptor, const std::string& certificate,
                           const std::string& indent);

}  // namespace certcast
