#include "core/worker/program/attempt_process.hpp"
#include "core/worker/worker_wire.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace certcast::program {

namespace {

// dup2 onto itself would keep close-on-exec, and a source among the targets would be overwritten
// before it is used: so everything moves up first.
Result<void> place_fds(AttemptFds fds) {
    const int sources[] = {fds.attempt.get(), fds.cancel.get(), fds.output.get()};
    int moved[3];
    for (int i = 0; i < 3; ++i) {
        moved[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 16);
        if (moved[i] < 0) return system_error("cannot move a descriptor", errno);
    }
    const int null = open("/dev/null", O_RDONLY);
    if (null < 0) return system_error("cannot open /dev/null", errno);
    const bool placed = dup2(null, STDIN_FILENO) >= 0 && dup2(moved[2], STDOUT_FILENO) >= 0 &&
                        dup2(moved[2], STDERR_FILENO) >= 0 && dup2(moved[0], attempt_fd) >= 0 &&
                        dup2(moved[1], cancel_fd) >= 0;
    if (!placed) return system_error("cannot place a descriptor", errno);
    fds.attempt.release();
    fds.cancel.release();
    fds.output.release();
    return {};
}

void keep_to(int resource, rlim_t soft, rlim_t hard) {
    rlimit now{};
    getrlimit(resource, &now);
    now.rlim_max = std::min(now.rlim_max, hard);
    now.rlim_cur = std::min(now.rlim_max, soft);
    setrlimit(resource, &now);
}

void keep_to(const Limits& limits) {
    if (limits.files != 0) keep_to(RLIMIT_NOFILE, limits.files, limits.files);
    if (limits.file_size != 0) keep_to(RLIMIT_FSIZE, limits.file_size, limits.file_size);
    if (limits.cpu.count() != 0) {
        const auto seconds =
            static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(limits.cpu).count());
        // The first is a signal that may be ignored.
        keep_to(RLIMIT_CPU, seconds, seconds + 1);
    }
    limit_memory(limits.memory);
}

}  // namespace

void limit_memory(std::uint64_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // whose shadow of all memory would count
    if (bytes != 0) keep_to(RLIMIT_DATA, bytes, bytes);
#endif
}

Result<void> become_worker(AttemptFds fds, const std::string& work_folder) {
    const pid_t parent = getppid();
    // The fork server has put everything else back; what it needs blocked a worker does not.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (setsid() < 0) return system_error("cannot start a session", errno);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(exit_host_gone);

    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (auto placed = place_fds(std::move(fds)); !placed) return placed;
    if (mkdir(work_folder.c_str(), 0700) != 0) {
        return system_error("cannot make the work folder", errno, work_folder);
    }
    if (chdir(work_folder.c_str()) != 0) {
        return system_error("cannot enter the work folder", errno, work_folder);
    }
    setenv("TMPDIR", work_folder.c_str(), 1);
    return {};
}

void keep_to_its_own(const Limits& limits) {
    close_range(static_cast<unsigned>(cancel_fd) + 1, ~0U, 0);
    keep_to(limits);
}

}  // namespace certcast::program
