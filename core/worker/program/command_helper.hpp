#pragma once

#include <sys/types.h>

namespace certcast::program {

/// Runs the one command that the host sends, passes its output on, ends what it left behind, and
/// says how it ended. Never returns.
[[noreturn]] void run_command(pid_t host);

}  // namespace certcast::program
