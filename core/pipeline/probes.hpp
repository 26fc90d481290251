#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/plugin/raw_value.hpp"

#include <string>
#include <vector>

namespace certcast {

/// Reads `probe`: an array of tables, or false. One check for each address and, where a probe does
/// not say which certificate it expects, for each of `certificates`.
std::vector<ProbeCheck> read_probes(const RawValue& probe, const std::string& path,
                                    const std::vector<std::string>& certificates,
                                    Diagnostics& diagnostics);

}  // namespace certcast
