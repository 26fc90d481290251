#include "core/worker/program/keeper.hpp"

#include "core/base/fd.hpp"
#include "core/base/pidfd.hpp"
#include "core/worker/worker_wire.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

namespace certcast::program {

namespace {

[[noreturn]] void keep(int server) {
    constexpr int moved_server = 3;
    if (dup2(server, 16) < 0 || dup2(16, moved_server) < 0) _exit(exit_setup);
    close_range(moved_server + 1, ~0U, 0);
    signal(SIGCHLD, SIG_IGN);  // orphans are reaped by the kernel
    while (!has_ended(moved_server)) {
        pollfd entry{moved_server, POLLIN, 0};
        poll(&entry, 1, -1);
    }
    _exit(0);
}

}  // namespace

pid_t start_keeper() {
    const Fd server(pidfd_open(getpid(), 0));
    if (!server || unshare(CLONE_NEWPID) != 0) return 0;
    const pid_t keeper = fork();
    if (keeper == 0) keep(server.get());
    // Without its first process the namespace takes no other.
    if (keeper < 0) _exit(exit_setup);
    return keeper;
}

}  // namespace certcast::program
