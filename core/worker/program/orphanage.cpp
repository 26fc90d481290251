#include "core/worker/program/orphanage.hpp"

#include "core/base/pidfd.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/worker_wire.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace certcast::program {

namespace {

// What hangs in the kernel is not waited for.
constexpr int most_rounds = 10'000;

sigset_t child_signal() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    return child;
}

}  // namespace

Watch start_supervising(pid_t parent) {
    become_subreaper();
    // Neither another plugin's worker nor anything else of this user may look into it.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    rlimit core{};
    getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = 0;  // what the operator's commands start may raise it again
    setrlimit(RLIMIT_CORE, &core);
    Watch watch;
    watch.parent = Fd(pidfd_open(parent, 0));
    if (!watch.parent || getppid() != parent) _exit(exit_host_gone);
    block_child_signal();
    const sigset_t child = child_signal();
    watch.children = Fd(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    return watch;
}

void forget_signals(const Watch& watch) {
    signalfd_siginfo infos[8];
    while (read(watch.children.get(), infos, sizeof infos) > 0) {
    }
}

void block_child_signal() {
    const sigset_t child = child_signal();
    sigprocmask(SIG_BLOCK, &child, nullptr);
}

void sweep_everything() {
    const auto nobody = [](pid_t) { return false; };
    // A round that finds nothing ends it; each round waits for a death, or a moment.
    for (int round = 0; round < most_rounds && sweep_children(nobody); ++round) {
        while (waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        poll(nullptr, 0, 1);
    }
}

void end_everything(int status) {
    sweep_everything();
    _exit(status);
}

}  // namespace certcast::program
