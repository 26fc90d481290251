#pragma once

#include "core/base/fd.hpp"

#include <sys/types.h>

#include <functional>

namespace certcast::program {

/// Descriptors of a supervising process: readable when a child ends, and when its parent is gone.
struct Watch {
    Fd children;
    Fd parent;
};

/// Makes this process supervise: subreaper, SIGCHLD by descriptor, the parent, which is expected to
/// be this one, watched by pidfd.
Watch start_supervising(pid_t parent);

/// Until the next child ends there is nothing to read.
void forget_signals(const Watch& watch);

/// SIGCHLD comes by descriptor only. Loading a library unblocks it again.
void block_child_signal();

/// Kills and reaps all children, however many generations come up.
void sweep_everything();

/// sweep_everything, then the end of this process.
[[noreturn]] void end_everything(int status);

}  // namespace certcast::program
