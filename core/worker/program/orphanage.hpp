#pragma once

#include "core/base/fd.hpp"

#include <sys/types.h>

#include <functional>

namespace certcast::program {

/// Descriptors of a supervising process: readable when a child ends, and when the host is gone.
struct Watch {
    Fd children;
    Fd host;
};

/// Makes this process supervise: subreaper, SIGCHLD by descriptor, the host watched by pidfd.
Watch start_supervising(pid_t host);

/// SIGCHLD comes by descriptor only. Loading a library unblocks it again.
void block_child_signal();

/// Kills and reaps all children, however many generations come up.
void sweep_everything();

/// sweep_everything, then the end of this process.
[[noreturn]] void end_everything(int status);

}  // namespace certcast::program
