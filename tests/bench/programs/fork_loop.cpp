// fork_loop LIBRARY COUNT PARALLEL: loads the library, then forks COUNT children that exit at once,
// PARALLEL at a time. Prints the seconds that took.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    if (dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) == nullptr) {
        std::fprintf(stderr, "fork_loop: %s\n", dlerror());
        return 1;
    }
    const long count = std::strtol(argv[2], nullptr, 10);
    const long parallel = std::strtol(argv[3], nullptr, 10);
    const auto start = std::chrono::steady_clock::now();
    long running = 0;
    for (long started = 0; started < count || running > 0;) {
        if (started < count && running < parallel) {
            const pid_t child = fork();
            if (child < 0) return 1;
            if (child == 0) _exit(0);
            ++started;
            ++running;
        } else {
            if (wait(nullptr) < 0) return 1;
            --running;
        }
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::printf("%.6f\n", taken.count());
}
