#include "core/worker/syscall_verdict.hpp"
#include "core/worker/fork_allowance.hpp"

#include <doctest/doctest.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <initializer_list>

using namespace certcast;

namespace {

constexpr pid_t worker = 100;
constexpr pid_t child_of_worker = 101;
constexpr pid_t stranger = 7;

SyscallCaller caller(bool is_fork_server = false) {
    return {worker, is_fork_server,
            [](pid_t task) { return task == worker || task == child_of_worker; }};
}

SyscallRequest call(int number, std::uint64_t first = 0, std::uint64_t second = 0) {
    SyscallRequest request;
    request.number = number;
    request.arguments = {first, second};
    return request;
}

}  // namespace

TEST_CASE("a waiting system call is decided by what was declared and by who makes it") {
    const Rights nothing;
    const Rights exec{.exec = true};
    const Rights writes{.keeps_user = true};
    struct Decision {
        const char* what;
        SyscallRequest request;
        Rights rights;
        SyscallCaller who;
        int error;
        const char* told;
    };
    const auto to = [](pid_t target) {
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(target));
    };
    const Decision all[] = {
        {"a thread", call(SCMP_SYS(clone), CLONE_THREAD), nothing, caller(), 0, ""},
        {"a process", call(SCMP_SYS(clone), SIGCHLD), nothing, caller(), EPERM, "EXEC"},
        {"a process with EXEC", call(SCMP_SYS(clone), SIGCHLD), exec, caller(), 0, ""},
        {"a namespace with EXEC", call(SCMP_SYS(clone), CLONE_NEWUSER | SIGCHLD), exec, caller(),
         EPERM, "namespaces"},
        {"a process while loading", call(SCMP_SYS(clone), SIGCHLD), exec, caller(true), EPERM,
         "while it is loaded"},
        {"a program", call(SCMP_SYS(execve)), nothing, caller(), EPERM, "EXEC"},
        {"a signal to itself", call(SCMP_SYS(kill), to(worker)), nothing, caller(), 0, ""},
        {"to its child", call(SCMP_SYS(tgkill), to(child_of_worker)), nothing, caller(), 0, ""},
        {"to its child's group", call(SCMP_SYS(kill), to(-child_of_worker)), nothing, caller(), 0,
         ""},
        {"to a stranger", call(SCMP_SYS(kill), to(stranger)), nothing, caller(), EPERM, "SIGNALS"},
        {"to everybody", call(SCMP_SYS(kill), to(-1)), nothing, caller(), EPERM, "SIGNALS"},
        {"by garbage above the int", call(SCMP_SYS(kill), (1ull << 32) | stranger), nothing,
         caller(), EPERM, "SIGNALS"},
        {"a socket", call(SCMP_SYS(socket), AF_INET), nothing, caller(), EPERM, "NETWORK"},
        {"a local socket", call(SCMP_SYS(socket), AF_UNIX, SOCK_STREAM), nothing, caller(), EPERM,
         "UNIX_SOCKETS"},
        {"a look for a cache of names",
         call(SCMP_SYS(socket), AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK), nothing,
         caller(), EAFNOSUPPORT, ""},
        {"an odd socket", call(SCMP_SYS(socket), AF_PACKET), nothing, caller(), EPERM, "no plugin"},
        {"mode", call(SCMP_SYS(chmod)), nothing, caller(), EPERM, "WRITES"},
        {"ptrace", call(SCMP_SYS(ptrace)), exec, caller(), EPERM, "no plugin"},
        {"outliving", call(SCMP_SYS(prctl), PR_SET_PDEATHSIG, 0), nothing, caller(), EPERM, ""},
        {"outliving its host", call(SCMP_SYS(prctl), PR_SET_PDEATHSIG, 0), nothing, caller(true),
         EPERM, ""},
        {"a sibling with EXEC", call(SCMP_SYS(clone), CLONE_PARENT | SIGCHLD), exec, caller(),
         EPERM, "not its child"},
        {"a file that runs as its owner", call(SCMP_SYS(fchmod), 0, 04755), writes, caller(), EPERM,
         "setuid"},
        {"the mode of a name", call(SCMP_SYS(chmod), 0, 0644), writes, caller(), EPERM,
         "what is open"},
        {"asynchronous input", call(SCMP_SYS(io_setup)), exec, caller(), EPERM, "no plugin"},
        {"the future", call(5000), nothing, caller(), ENOSYS, ""},
    };
    for (const Decision& one : all) {
        CAPTURE(one.what);
        const SyscallVerdict verdict = judge(one.request, one.rights, one.who);
        CHECK(verdict.error == one.error);
        CHECK(verdict.denial.find(one.told) != std::string::npos);
        CHECK((*one.told != '\0' || verdict.denial.empty()));
    }
}

TEST_CASE("a plain fork is one that makes nothing but a child") {
    CHECK(is_plain_fork(call(SCMP_SYS(clone), SIGCHLD)));
    CHECK(is_plain_fork(call(SCMP_SYS(vfork))));
    for (const auto flag : std::initializer_list<std::uint64_t>{CLONE_THREAD, CLONE_PARENT,
                                                                CLONE_NEWUSER, CLONE_NEWPID}) {
        CAPTURE(flag);
        CHECK_FALSE(is_plain_fork(call(SCMP_SYS(clone), flag)));
    }
    CHECK_FALSE(is_plain_fork(call(SCMP_SYS(execve))));
}

TEST_CASE("a fork server may fork as often as it was asked for workers") {
    ForkAllowance forks;
    CHECK_FALSE(forks.take());
    forks.add();
    forks.add();
    forks.add();
    CHECK(forks.take());
    forks.keep_at_most(5);
    forks.keep_at_most(1);
    CHECK(forks.take());
    CHECK_FALSE(forks.take());
}
