#pragma once

#include <cstdint>

namespace certcast {

/// The version of Landlock that this kernel enforces; 0: none.
std::uint32_t landlock_version();

/// From this version on signals reach only processes under the same rules.
inline constexpr std::uint32_t landlock_knows_signals = 6;

}  // namespace certcast
