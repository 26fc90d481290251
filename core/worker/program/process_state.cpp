#include "core/worker/program/process_state.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace certcast::program {

namespace {

// Never destroyed: environ points into it until the process ends.
std::vector<std::string>& variables() {
    static auto* kept = new std::vector<std::string>;
    return *kept;
}

}  // namespace

void remember_process_state() {
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        variables().emplace_back(*variable);
    }
}

void restore_process_state() {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) sigaction(number, &standard, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    umask(077);
    if (chdir("/") != 0) _exit(1);
    clearenv();
    for (std::string& variable : variables()) putenv(variable.data());
}

}  // namespace certcast::program
