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

// As long as sweeping may take, and some more.
constexpr int longest_farewell_ms = 20'000;

[[noreturn]] void keep(int host, int server) {
    constexpr int moved_host = 3;
    constexpr int moved_server = 4;
    if (dup2(host, 16) < 0 || dup2(server, 17) < 0) _exit(exit_setup);
    if (dup2(16, moved_host) < 0 || dup2(17, moved_server) < 0) _exit(exit_setup);
    close_range(moved_server + 1, ~0U, 0);
    signal(SIGCHLD, SIG_IGN);  // orphans are reaped by the kernel
    pollfd entries[] = {{moved_server, POLLIN, 0}, {moved_host, POLLIN, 0}};
    while (poll(entries, 2, -1) < 0) {
    }
    if (entries[0].revents == 0) poll(entries, 1, longest_farewell_ms);
    pidfd_send_signal(moved_server, SIGKILL, nullptr, 0);
    _exit(0);
}

}  // namespace

pid_t start_keeper(pid_t host) {
    const Fd its_host(pidfd_open(host, 0));
    const Fd server(pidfd_open(getpid(), 0));
    if (!its_host || !server || unshare(CLONE_NEWPID) != 0) return 0;
    const pid_t keeper = fork();
    if (keeper == 0) keep(its_host.get(), server.get());
    // Without its first process the namespace takes no other.
    if (keeper < 0) _exit(exit_setup);
    return keeper;
}

}  // namespace certcast::program
