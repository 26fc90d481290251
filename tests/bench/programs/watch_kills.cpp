// watch_kills FIFO COUNT GRACE_MS: reads "PID DEADLINE_NS" lines from the FIFO, and prints for each
// process how many milliseconds after deadline and grace it was dead; sorted.
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace {

struct Hung {
    int pidfd;
    long long due_ns;
};

long long now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::size_t count = std::strtoul(argv[2], nullptr, 10);
    const long long grace_ns = std::strtoll(argv[3], nullptr, 10) * 1'000'000;
    // Opened for both, so that it does not end between two writers.
    const int fifo = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fifo < 0) return 1;

    std::vector<Hung> hung;
    std::vector<double> late_ms;
    std::string text;
    while (late_ms.size() < count) {
        std::vector<pollfd> watched{{.fd = fifo, .events = POLLIN, .revents = 0}};
        for (const Hung& one : hung)
            watched.push_back({.fd = one.pidfd, .events = POLLIN, .revents = 0});
        if (poll(watched.data(), watched.size(), 60'000) <= 0) {
            std::fprintf(stderr, "watch_kills: %zu of %zu are dead after a minute\n",
                         late_ms.size(), count);
            return 1;
        }
        const long long now = now_ns();
        for (std::size_t i = watched.size() - 1; i > 0; --i) {
            if (watched[i].revents == 0) continue;
            late_ms.push_back(static_cast<double>(now - hung[i - 1].due_ns) / 1e6);
            close(hung[i - 1].pidfd);
            hung.erase(hung.begin() + static_cast<std::ptrdiff_t>(i - 1));
        }
        if (watched[0].revents == 0) continue;
        char buffer[4096];
        const ssize_t size = read(fifo, buffer, sizeof buffer);
        if (size <= 0) return 1;
        text.append(buffer, static_cast<std::size_t>(size));
        for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;) {
            char* rest = nullptr;
            const long process = std::strtol(text.c_str(), &rest, 10);
            const long long deadline = std::strtoll(rest, nullptr, 10);
            text.erase(0, end + 1);
            const long pidfd = syscall(SYS_pidfd_open, process, 0);
            if (pidfd < 0) {
                std::perror("watch_kills: pidfd_open");
                return 1;
            }
            hung.push_back({static_cast<int>(pidfd), deadline + grace_ns});
        }
    }
    std::sort(late_ms.begin(), late_ms.end());
    for (const double late : late_ms) std::printf("%.3f\n", late);
}
