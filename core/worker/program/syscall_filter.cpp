#include "core/worker/program/syscall_filter.hpp"

#include "core/worker/landlock_version.hpp"
#include "core/worker/syscalls.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <initializer_list>
#include <memory>

namespace certcast::program {

namespace {

// The kernel looks at the lower half of the registers that hold an int, whatever lies in the upper.
constexpr std::uint64_t lower_half = 0xffffffff;

using Values = std::initializer_list<std::uint64_t>;

scmp_arg_cmp equals(unsigned argument, std::uint64_t value, std::uint64_t mask = lower_half) {
    return {argument, SCMP_CMP_MASKED_EQ, mask, value & mask};
}

/// Rules of libseccomp under construction: nothing is allowed that no rule allows.
class Rules {
public:
    explicit Rules(std::uint32_t otherwise) : context_(seccomp_init(otherwise)) {
        if (!context_) return;
        constexpr std::uint32_t binary_tree = 2;
        set(SCMP_FLTATR_CTL_OPTIMIZE, binary_tree);
        set(SCMP_FLTATR_CTL_NNP, 0);  // has been set
        set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    }

    void allow(int call) { add(SCMP_ACT_ALLOW, call, 0, nullptr); }
    void allow(int call, scmp_arg_cmp condition) { add(SCMP_ACT_ALLOW, call, 1, &condition); }
    void allow(int call, scmp_arg_cmp first, scmp_arg_cmp second) {
        const scmp_arg_cmp both[] = {first, second};
        add(SCMP_ACT_ALLOW, call, 2, both);
    }
    void refuse(int call, int why) {
        add(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(why)), call, 0, nullptr);
    }
    /// Does nothing, and says that it has been done.
    void ignore(int call, scmp_arg_cmp first, scmp_arg_cmp second) {
        const scmp_arg_cmp both[] = {first, second};
        add(SCMP_ACT_ERRNO(0), call, 2, both);
    }

    Result<Fd> load(bool listen) {
        int status = context_ ? status_ : -ENOMEM;
        if (status == 0) status = seccomp_load(context_.get());
        if (status != 0) return system_error("cannot filter system calls", -status);
        return listen ? Fd(seccomp_notify_fd(context_.get())) : Fd();
    }

private:
    struct Release {
        void operator()(void* context) const { seccomp_release(context); }
    };

    void set(scmp_filter_attr attribute, std::uint32_t value) {
        const int status = seccomp_attr_set(context_.get(), attribute, value);
        if (status_ == 0) status_ = status;
    }
    void add(std::uint32_t action, int call, unsigned count, const scmp_arg_cmp* conditions) {
        if (!context_ || call < 0) return;  // less than 0: this machine has no such call
        const int status = seccomp_rule_add_array(context_.get(), action, call, count, conditions);
        if (status_ == 0) status_ = status;
    }

    std::unique_ptr<void, Release> context_;
    int status_ = 0;
};

void allow_sockets(const Rights& rights, Rules& rules) {
    const int call = SCMP_SYS(socket);
    if (rights.network) {
        rules.allow(call, equals(0, AF_INET));
        rules.allow(call, equals(0, AF_INET6));
        rules.allow(call, equals(0, AF_NETLINK), equals(2, 0));  // looking up names asks for routes
    }
    if (rights.unix_sockets) rules.allow(call, equals(0, AF_UNIX));
    // Connected for good, unlike pairs of datagram sockets, which reach any name.
    constexpr std::uint64_t type_mask = 0xf;
    for (const auto type : Values{SOCK_STREAM, SOCK_SEQPACKET}) {
        rules.allow(SCMP_SYS(socketpair), equals(0, AF_UNIX), equals(1, type, type_mask));
    }
}

// What lingers holds up whoever closes it last, and that may be somebody to whom it was sent: so
// SO_LINGER alone has no effect.
void allow_socket_options(Rules& rules) {
    const int call = SCMP_SYS(setsockopt);
    const scmp_arg_cmp of_socket = equals(1, SOL_SOCKET);
    constexpr std::uint64_t highest_bit = 0x8000;  // of any level or option that there is
    for (std::uint64_t bit = 1; bit <= highest_bit; bit <<= 1) {
        rules.allow(call, equals(1, ~std::uint64_t{SOL_SOCKET}, bit));
        rules.allow(call, of_socket, equals(2, ~std::uint64_t{SO_LINGER}, bit));
    }
    rules.ignore(call, of_socket, equals(2, SO_LINGER));
}

// Not those that make other processes send or receive signals, nor leases: nobody else can open a
// file on which there is one until it is given up.
void allow_fcntl(const Rights& rights, Rules& rules) {
    const int call = SCMP_SYS(fcntl);
    if (rights.signals) {
        for (const auto command : Values{F_SETOWN, F_SETSIG, F_SETOWN_EX, F_GETOWN_EX}) {
            rules.allow(call, equals(1, command));
        }
        rules.allow(SCMP_SYS(ioctl));
    }
    for (const auto command : Values{F_DUPFD,
                                     F_GETFD,
                                     F_SETFD,
                                     F_GETFL,
                                     F_SETFL,
                                     F_GETLK,
                                     F_SETLK,
                                     F_SETLKW,
                                     F_GETOWN,
                                     F_GETSIG,
                                     F_OFD_GETLK,
                                     F_OFD_SETLK,
                                     F_OFD_SETLKW,
                                     F_GETLEASE,
                                     F_NOTIFY,
                                     F_DUPFD_CLOEXEC,
                                     F_SETPIPE_SZ,
                                     F_GETPIPE_SZ,
                                     F_ADD_SEALS,
                                     F_GET_SEALS,
                                     F_GET_RW_HINT,
                                     F_SET_RW_HINT,
                                     F_GET_FILE_RW_HINT,
                                     F_SET_FILE_RW_HINT}) {
        rules.allow(call, equals(1, command));
    }
    if (rights.signals) return;
    // Everything but the group of socket requests, in which FIOSETOWN and SIOCSPGRP are.
    constexpr std::uint64_t of_sockets = 0x8900;
    for (std::uint64_t bit = 0x100; bit <= 0x8000; bit <<= 1) {
        rules.allow(SCMP_SYS(ioctl), equals(1, ~of_sockets, bit));
    }
    for (std::uint64_t group = 0x10; rights.network && group <= 0xf0; group += 0x10) {
        rules.allow(SCMP_SYS(ioctl), equals(1, of_sockets | group, 0xfff0));
    }
}

void allow_prctl(Rules& rules) {
    const int call = SCMP_SYS(prctl);
    for (const auto option :
         Values{PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP,
                PR_CAPBSET_READ, PR_GET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK,
                PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE,
                PR_GET_CHILD_SUBREAPER, PR_CAP_AMBIENT, PR_SET_VMA}) {
        rules.allow(call, equals(0, option));
    }
    // What a worker sets up cannot be undone.
    rules.allow(call, equals(0, PR_SET_PDEATHSIG), equals(1, SIGKILL));
    rules.allow(call, equals(0, PR_SET_DUMPABLE), equals(1, 0));
    rules.allow(call, equals(0, PR_SET_CHILD_SUBREAPER), equals(1, 1));
}

void allow_own_scheduling(Rules& rules) {
    for (const int call :
         {SCMP_SYS(sched_setaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
          SCMP_SYS(sched_setattr), SCMP_SYS(prlimit64)}) {
        rules.allow(call, equals(0, 0));
    }
    constexpr std::uint64_t of_process = 1;  // IOPRIO_WHO_PROCESS
    rules.allow(SCMP_SYS(setpriority), equals(0, PRIO_PROCESS), equals(1, 0));
    rules.allow(SCMP_SYS(ioprio_set), equals(0, of_process), equals(1, 0));
}

// A file that runs as its owner must not be left behind.
constexpr std::uint64_t set_id = S_ISUID | S_ISGID;

// Landlock does not see a file shortened before its version 3, and calls it reading when a file is
// opened to be read and shortened.
void allow_opening(std::uint32_t version, Rules& rules) {
    constexpr std::uint64_t makes = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
    const auto allow = [&](int call, unsigned flags) {
        const auto with = [&](std::uint64_t value, std::uint64_t mask) {
            rules.allow(call, equals(flags, value, mask | makes));  // has no mode
            rules.allow(call, equals(flags, value, mask), equals(flags + 1, 0, set_id));
        };
        for (const auto access : Values{O_WRONLY, O_RDWR, O_ACCMODE}) with(access, O_ACCMODE);
        with(O_RDONLY, O_ACCMODE | O_TRUNC);
    };
    allow(SCMP_SYS(open), 1);
    allow(SCMP_SYS(openat), 2);
    rules.allow(SCMP_SYS(creat), equals(1, 0, set_id));
    rules.refuse(SCMP_SYS(openat2), ENOSYS);  // its flags cannot be looked at
    if (version >= 3) rules.allow(SCMP_SYS(truncate));
}

// A device, which is what Landlock denies too, needs a type.
void allow_making_nodes(Rules& rules) {
    for (const auto type : Values{0, S_IFREG, S_IFIFO, S_IFSOCK}) {
        rules.allow(SCMP_SYS(mknod), equals(1, type, S_IFMT | set_id));
        rules.allow(SCMP_SYS(mknodat), equals(2, type, S_IFMT | set_id));
    }
}

// Only of what it has open, since Landlock looks after opening alone: a name could be any file's.
void allow_changing_files(Rules& rules) {
    rules.allow(SCMP_SYS(fchmod), equals(1, 0, set_id));
    for (const int call : {SCMP_SYS(fchown), SCMP_SYS(fsetxattr), SCMP_SYS(fremovexattr)}) {
        rules.allow(call);
    }
    rules.allow(SCMP_SYS(utimensat), equals(1, 0, UINT64_MAX));
}

}  // namespace

Result<Fd> filter_system_calls(const Rights& rights, std::uint32_t version, Denied denied) {
    Rules rules(denied == Denied::asked ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(EPERM));
    for (int call = 0; call < first_unknown_syscall; ++call) {
        if (kind_of(call) == SyscallKind::harmless) rules.allow(call);
    }
    // Its flags cannot be looked at; whoever tries it first falls back on clone.
    rules.refuse(SCMP_SYS(clone3), ENOSYS);
    if (denied == Denied::refused) {
        rules.allow(SCMP_SYS(clone), equals(0, CLONE_THREAD, CLONE_THREAD | namespace_flags));
    }
    rules.refuse(syscall_fchmodat2, ENOSYS);  // libraries try it first, and fall back
    if (rights.keeps_user) allow_changing_files(rules);
    if (rights.exec) {
        for (const int call : of_kind(SyscallKind::executes)) rules.allow(call);
    }
    // What has to end programs when nobody is left to be asked is looked after by Landlock.
    if (rights.signals || (rights.exec && version >= landlock_knows_signals)) {
        for (const int call : of_kind(SyscallKind::signals)) rules.allow(call);
    }
    allow_sockets(rights, rules);
    allow_socket_options(rules);
    allow_fcntl(rights, rules);
    allow_prctl(rules);
    allow_own_scheduling(rules);
    allow_opening(version, rules);
    allow_making_nodes(rules);
    return rules.load(denied == Denied::asked);
}

}  // namespace certcast::program
