// spawn_loop COUNT FILE PROGRAM [ARGUMENT...]: removes FILE and runs the program, COUNT times.
// Prints the median milliseconds from posix_spawn to the end of the process. Fails when it fails.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);

    std::vector<double> taken;
    for (long left = std::strtol(argv[1], nullptr, 10); left > 0; --left) {
        unlink(argv[2]);
        const auto start = std::chrono::steady_clock::now();
        pid_t child = 0;
        int status = 0;
        if (posix_spawnp(&child, argv[3], &actions, nullptr, argv + 3, environ) != 0) return 1;
        if (waitpid(child, &status, 0) != child || status != 0) {
            std::fprintf(stderr, "spawn_loop: %s ended with status %d\n", argv[3], status);
            return 1;
        }
        const std::chrono::duration<double, std::milli> one =
            std::chrono::steady_clock::now() - start;
        taken.push_back(one.count());
    }
    if (taken.empty()) return 2;
    std::sort(taken.begin(), taken.end());
    std::printf("%.6f\n", taken[taken.size() / 2]);
}
