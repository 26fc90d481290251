#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace certcast {

/// A started process. Whoever owns it reaps it.
struct Process {
    pid_t pid = -1;
    Fd pidfd;
};

/// Starts certcast-worker by posix_spawn, in a session of its own, with the socket as its control
/// descriptor and nothing else inherited.
Result<Process> spawn_worker_program(const std::filesystem::path& program,
                                     std::vector<std::string> arguments, Fd socket,
                                     bool keep_environment);

/// One that hangs in the kernel is not waited for longer.
inline constexpr int longest_dying_ms = 500;

/// Kills the process, waits until it is dead and reaps it.
void end_process(Process& process, int patience_ms = longest_dying_ms);

/// Loads the library in a throw-away process and returns what that process says is in it, for
/// decode_library. Waits at most `seconds`. Makes this process a subreaper.
Result<std::vector<std::byte>> describe_library(const std::filesystem::path& program,
                                                const std::filesystem::path& library, int seconds);

}  // namespace certcast
