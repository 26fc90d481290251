#include "core/cli/harden.hpp"

#include "core/certificate/openssl_memory.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace certcast {

namespace {

// Four for a session, four for its probe, and its lock.
constexpr rlim_t files_per_worker = 9;
constexpr rlim_t files_of_host = 64;

}  // namespace

void harden_process() {
    // What is opened next would take the number of a closed one, and be taken for it.
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
    if (fd >= 0) close(fd);
    keep_openssl_in_secret_memory();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    rlimit core{};
    getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = 0;  // what the operator's commands start may raise it again
    setrlimit(RLIMIT_CORE, &core);
    signal(SIGPIPE, SIG_IGN);
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

std::uint32_t most_workers() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    const rlim_t usable = std::max(files.rlim_cur, files_of_host + files_per_worker);
    return static_cast<std::uint32_t>(
        std::min<rlim_t>((usable - files_of_host) / files_per_worker, 1'000'000));
}

}  // namespace certcast
