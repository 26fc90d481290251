#pragma once

#include "core/base/limits.hpp"
#include "core/worker/outcome.hpp"

#include <string>

namespace certcast {

/// How a worker's process ended, as its fork server saw it.
struct WorkerExit {
    int status = 0;
    int signal = 0;
    Duration cpu{};                 ///< processor time that it used
    std::uint64_t most_memory = 0;  ///< bytes that were resident at once
    bool group_out_of_memory =
        false;                ///< all its processes were killed, for what they had together
    std::string setup_error;  ///< it never became a worker, or its fork server is gone: why
    bool swept = true;        ///< nothing is left of what it, or another attempt, had started
    bool server_gone = false;
    bool interrupted = false;  ///< its fork server was killed because the run was
};

/// What that means for the stage that ran. `started`: there was a process.
Outcome outcome_of(const WorkerExit& exit, bool started, const Limits& limits, Stage stage);

/// That an attempt went over one of its limits.
Outcome limit_outcome(Stage stage, std::string name, std::string message);

}  // namespace certcast
