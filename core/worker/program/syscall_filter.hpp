#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/worker/grants.hpp"

namespace certcast::program {

/// What becomes of a system call that no rule allows.
enum class Denied {
    refused,  ///< it fails with EPERM
    asked,    ///< whoever holds the listener decides; without a listener it fails with ENOSYS
};

/// Puts every later system call of this process, and of all that it starts, under rules: only what
/// is known to reach nothing but the process itself, and what `rights` grant. Landlock of `version`
/// does the rest. Returns the listener where there is to be one.
Result<Fd> filter_system_calls(const Rights& rights, std::uint32_t version, Denied denied);

}  // namespace certcast::program
