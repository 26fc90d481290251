#include "core/worker/syscall_verdict.hpp"

#include "core/worker/syscalls.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace certcast {

namespace {

SyscallVerdict allowed() {
    return {};
}

SyscallVerdict refused(const std::string& call, const std::string& why, int error = EPERM) {
    return {error, "the sandbox refused " + call + ": " + why};
}

SyscallVerdict undeclared(const std::string& call, const std::string& need) {
    return refused(call, "the plugin does not declare " + need);
}

int as_int(std::uint64_t argument) {
    return static_cast<int>(static_cast<std::uint32_t>(argument));
}

std::uint64_t clone_flags(const SyscallRequest& request) {
    return request.number == SCMP_SYS(clone) ? request.arguments[0] : 0;
}

SyscallVerdict judge_start(const SyscallRequest& request, const Rights& rights,
                           const SyscallCaller& caller) {
    const auto name = [&request] { return name_of_syscall(request.number); };
    const std::uint64_t flags = clone_flags(request);
    if ((flags & namespace_flags) != 0) {
        return refused(name(), "no plugin may have namespaces of its own");
    }
    if ((flags & CLONE_THREAD) != 0) {
        // A library that starts one is loaded by each worker for itself.
        return caller.is_fork_server
                   ? refused(name(), "no thread may be started while a library is loaded")
                   : allowed();
    }
    if ((flags & CLONE_PARENT) != 0) {
        return refused(name(), "no plugin may start a process that is not its child");
    }
    if (caller.is_fork_server) {
        return refused(name(), "a library may start no process while it is loaded");
    }
    return rights.exec ? allowed() : undeclared(name() + " of a process", "EXEC");
}

SyscallVerdict judge_signal(const SyscallRequest& request, const SyscallCaller& caller) {
    const std::string name = name_of_syscall(request.number);
    if (request.number == SCMP_SYS(pidfd_send_signal)) return undeclared(name, "SIGNALS");
    const int target = as_int(request.arguments[0]);
    if (target == 0) return allowed();  // its own group
    const bool group = target < 0;
    if (target != -1 && target != INT32_MIN && caller.owns(group ? -target : target)) {
        return allowed();
    }
    return undeclared(name + " of process " + std::to_string(target), "SIGNALS");
}

SyscallVerdict judge_socket(const SyscallRequest& request) {
    const int family = as_int(request.arguments[0]);
    switch (family) {
        case AF_INET:
            return undeclared("socket(AF_INET)", "NETWORK");
        case AF_INET6:
            return undeclared("socket(AF_INET6)", "NETWORK");
        case AF_NETLINK:
            return undeclared("socket(AF_NETLINK)", "NETWORK, or it is not one for routes");
        case AF_UNIX:
            // So the C library looks for a cache of names before it asks for one, and does without.
            if (as_int(request.arguments[1]) == (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)) {
                return {EAFNOSUPPORT, {}};
            }
            return undeclared("socket(AF_UNIX)", "UNIX_SOCKETS");
        default:
            return refused("socket of family " + std::to_string(family),
                           "it is granted to no plugin");
    }
}

SyscallVerdict judge_arguments(const SyscallRequest& request, const SyscallCaller& caller) {
    const int number = request.number;
    const std::string name = name_of_syscall(number);
    if (number == SCMP_SYS(socket)) return judge_socket(request);
    if (number == SCMP_SYS(prctl)) return {EPERM, {}};
    const bool by_group = number == SCMP_SYS(setpriority) || number == SCMP_SYS(ioprio_set);
    if (by_group || number == SCMP_SYS(sched_setaffinity) ||
        number == SCMP_SYS(sched_setscheduler) || number == SCMP_SYS(sched_setparam) ||
        number == SCMP_SYS(sched_setattr) || number == SCMP_SYS(prlimit64)) {
        const int only_a_process = number == SCMP_SYS(setpriority) ? PRIO_PROCESS : 1;
        const bool wide = by_group && as_int(request.arguments[0]) != only_a_process;
        const int target = as_int(request.arguments[by_group ? 1 : 0]);
        if (!wide && target > 0 && caller.owns(target)) return allowed();
        return refused(name, "it is meant for a process of somebody else");
    }
    if (number == SCMP_SYS(fcntl) && as_int(request.arguments[1]) == F_SETLEASE) {
        return refused("fcntl(F_SETLEASE)", "a lease would keep others from opening the file");
    }
    if (number == SCMP_SYS(fcntl) || number == SCMP_SYS(ioctl)) {
        return {number == SCMP_SYS(fcntl) ? EINVAL : ENOTTY, {}};
    }
    if (number == SCMP_SYS(truncate)) {
        return refused(name, "it would shorten a file without opening it for writing");
    }
    if (number == SCMP_SYS(open) || number == SCMP_SYS(openat)) {
        return refused(name,
                       "it would shorten a file without opening it for writing, or make one "
                       "that runs as its owner (setuid, setgid)");
    }
    return refused(name, "with these arguments it is granted to no plugin");
}

}  // namespace

bool starts_process(const SyscallRequest& request) {
    return kind_of(request.number) == SyscallKind::starts_process &&
           (clone_flags(request) & CLONE_THREAD) == 0;
}

bool is_plain_fork(const SyscallRequest& request) {
    const std::uint64_t others = namespace_flags | CLONE_PARENT;
    return starts_process(request) && (clone_flags(request) & others) == 0;
}

SyscallVerdict judge(const SyscallRequest& request, const Rights& rights,
                     const SyscallCaller& caller) {
    const auto name = [&request] { return name_of_syscall(request.number); };
    switch (kind_of(request.number)) {
        case SyscallKind::harmless:
            return allowed();
        case SyscallKind::looked_at:
            return judge_arguments(request, caller);
        case SyscallKind::starts_process:
            return judge_start(request, rights, caller);
        case SyscallKind::executes:
            return undeclared(name(), "EXEC");
        case SyscallKind::signals:
            return judge_signal(request, caller);
        case SyscallKind::changes_files:
            if (!rights.keeps_user) {
                return refused(name(),
                               "no parameter of this deployment names a file that the plugin "
                               "WRITES");
            }
            if (request.number == SCMP_SYS(fchmod)) {
                return refused(name(),
                               "no plugin may make a file run as its owner (setuid, setgid)");
            }
            return refused(name(), "a name could be any file's; open it, and change what is open");
        case SyscallKind::never:
            return refused(name(), "it is granted to no plugin");
        case SyscallKind::unknown:
            return {ENOSYS, {}};
    }
    return {EPERM, {}};
}

}  // namespace certcast
