#include "core/worker/program/attempt_process.hpp"
#include "core/worker/program/command_helper.hpp"
#include "core/worker/program/fork_server.hpp"
#include "core/worker/program/process_state.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace {

int usage() {
    constexpr std::string_view text = "certcast-worker is started by certcast, never by hand.\n";
    return write(STDERR_FILENO, text.data(), text.size()) < 0 ? 1 : 2;
}

}  // namespace

// certcast-worker --serve|--serve-cold|--describe HOST_PID LIBRARY
// certcast-worker --command HOST_PID
// certcast-worker --attempt LIBRARY
int main(int argc, char** argv) {
    using namespace certcast::program;
    remember_process_state();
    const std::string_view mode = argc > 1 ? argv[1] : "";
    if (mode == "--attempt" && argc == 3) serve_cold_attempt(argv[2]);
    if (argc < 3) return usage();
    const pid_t host = std::atoi(argv[2]);
    if (mode == "--command") run_command(host);
    if (argc < 4) return usage();
    if (mode == "--describe") describe(argv[3], host);
    if (mode == "--serve" || mode == "--serve-cold") {
        serve_forks({argv[3], host, mode == "--serve-cold"});
    }
    return usage();
}
