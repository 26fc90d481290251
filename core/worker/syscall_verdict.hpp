#pragma once

#include "core/worker/grants.hpp"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace certcast {

/// A system call that waits for a decision.
struct SyscallRequest {
    int number = 0;
    std::array<std::uint64_t, 6> arguments{};
};

/// Who makes it.
struct SyscallCaller {
    pid_t process = 0;  ///< the worker or fork server that it belongs to
    bool is_fork_server = false;
    std::function<bool(pid_t)> owns;  ///< this task belongs to the caller's own processes
};

/// What becomes of a system call. Its number and plain arguments cannot change while it waits; what
/// lies in memory can, so nothing is decided by that.
struct SyscallVerdict {
    int error = 0;       ///< 0: it goes on
    std::string denial;  ///< for the operator: which call, and what would have granted it

    bool allowed() const { return error == 0; }
};

/// Whether it starts a process, rather than a thread or nothing.
bool starts_process(const SyscallRequest& request);
/// Whether it starts a process like any other, as fork does.
bool is_plain_fork(const SyscallRequest& request);

SyscallVerdict judge(const SyscallRequest& request, const Rights& rights,
                     const SyscallCaller& caller);

}  // namespace certcast
