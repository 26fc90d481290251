#pragma once

#include <linux/sched.h>

#include <cstdint>
#include <string>
#include <vector>

namespace certcast {

/// What a system call may do to others, for the sandbox of plugins.
enum class SyscallKind {
    harmless,        ///< reaches nothing but the process, or what Landlock looks after
    looked_at,       ///< depends on its arguments
    starts_process,  ///< or a thread
    executes,        ///< runs another program
    signals,         ///< sends a signal to a process
    changes_files,   ///< mode, owner, times or attributes of files, which Landlock does not see
    never,           ///< granted to no plugin
    unknown,         ///< newer than this list
};

SyscallKind kind_of(int number);
/// The numbers of this machine.
std::vector<int> of_kind(SyscallKind kind);
/// "connect", or "system call 500".
std::string name_of_syscall(int number);

/// The flags of clone that make a namespace.
inline constexpr std::uint64_t namespace_flags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                                 CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                                 CLONE_NEWNET;

/// Newer than the oldest libseccomp that is supported, so that it knows no name for it.
inline constexpr int syscall_fchmodat2 = 452;
/// No call of Linux 6.18 has this number or a higher one.
inline constexpr int first_unknown_syscall = 470;

}  // namespace certcast
