// SPDX-License-Identifier: Apache-2.0
//
// Parameters of deployers that write files of certificates and keys, for their `parameters(...)`.
#pragma once

#include <certcast/job.hpp>

namespace certcast {

inline constexpr auto owner_parameter =
    text("owner").doc("User, by name or number; default: as the former file");
inline constexpr auto group_parameter =
    text("group").doc("Group, by name or number; default: as the former file");
inline constexpr auto mode_parameter = text("mode")
                                           .default_to("0644")
                                           .matching("0?[0-7]{3}")
                                           .doc("Mode of files without a key, octal");
inline constexpr auto key_mode_parameter = text("key_mode")
                                               .default_to("0600")
                                               .matching("0?[0-7]{3}")
                                               .doc("Mode of files with a key, octal");

/// What the operator says of files without a key.
inline FileAccess open_access(const Job& job) {
    return file_access(job[owner_parameter], job[group_parameter], job[mode_parameter]);
}
/// What the operator says of files with a key.
inline FileAccess key_access(const Job& job) {
    return file_access(job[owner_parameter], job[group_parameter], job[key_mode_parameter]);
}

}  // namespace certcast
