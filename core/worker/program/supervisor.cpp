#include "core/worker/program/supervisor.hpp"

#include "core/worker/program/orphanage.hpp"
#include "core/worker/worker_wire.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace certcast::program {

namespace {

[[noreturn]] void supervise(const Watch& watch, pid_t server) {
    for (;;) {
        pollfd entries[] = {{watch.children.get(), POLLIN, 0}, {watch.parent.get(), POLLIN, 0}};
        poll(entries, 2, -1);
        if (entries[1].revents != 0) end_everything(exit_host_gone);
        forget_signals(watch);
        for (pid_t ended = 0; (ended = waitpid(-1, nullptr, WNOHANG)) > 0;) {
            if (ended == server) end_everything(0);
        }
    }
}

}  // namespace

pid_t leave_supervisor(pid_t host) {
    const Watch watch = start_supervising(host);
    const pid_t supervisor = getpid();
    const pid_t server = fork();
    if (server == 0) return supervisor;
    if (server < 0) _exit(exit_setup);
    close(control_fd);
    supervise(watch, server);
}

}  // namespace certcast::program
