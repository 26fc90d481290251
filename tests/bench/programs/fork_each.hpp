#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

/// Has `work` done for each number below `count`, each in a process of its own and so many at once,
/// and prints the seconds that took. The exit status for main.
template <typename Work>
int fork_each(std::size_t count, std::size_t parallel, const char* program, Work work) {
    const auto start = std::chrono::steady_clock::now();
    std::size_t running = 0;
    bool all_good = true;
    for (std::size_t started = 0; started < count || running > 0;) {
        if (started < count && running < parallel) {
            const pid_t child = fork();
            if (child < 0) return 1;
            if (child == 0) _exit(work(started) ? 0 : 1);
            ++started;
            ++running;
        } else {
            int status = 0;
            if (wait(&status) < 0) return 1;
            all_good = all_good && status == 0;
            --running;
        }
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (!all_good) std::fprintf(stderr, "%s: something could not be written\n", program);
    std::printf("%.6f\n", taken.count());
    return all_good ? 0 : 1;
}
