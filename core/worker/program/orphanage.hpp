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

/// Kills and reaps all children, however many generations come up, then ends the process.
[[noreturn]] void end_everything(int status);

}  // namespace certcast::program
