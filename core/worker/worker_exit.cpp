#include "core/worker/worker_exit.hpp"

#include "core/worker/worker_wire.hpp"

#include <signal.h>
#include <string.h>

namespace certcast {

namespace {

std::string signal_words(int number) {
    const char* name = sigabbrev_np(number);
    return name == nullptr ? "signal " + std::to_string(number) : "SIG" + std::string(name);
}

Outcome internal(Ended ended, Stage stage, std::string message) {
    return Outcome::of(ended, stage, Category::internal, std::move(message));
}

}  // namespace

Outcome outcome_of(const WorkerExit& exit, bool started, Stage stage) {
    if (exit.interrupted) {
        return Outcome::of(Ended::cancelled, stage, Category::cancelled,
                           "killed, because the run was interrupted twice");
    }
    if (exit.server_gone && started) {
        Outcome outcome = internal(Ended::crashed, stage, exit.setup_error);
        outcome.signal = SIGKILL;
        return outcome;
    }
    if (exit.server_gone || !exit.setup_error.empty()) {
        return internal(Ended::setup_failed, stage, exit.setup_error);
    }
    if (exit.signal != 0) {
        Outcome outcome =
            internal(Ended::crashed, stage, "the worker was ended by " + signal_words(exit.signal));
        outcome.signal = exit.signal;
        return outcome;
    }
    if (exit.status == exit_protocol) {
        return internal(Ended::protocol_error, stage,
                        "the worker found its connection to certcast disturbed");
    }
    if (exit.status == exit_host_gone) {
        return internal(Ended::protocol_error, stage,
                        "the plugin closed its connection to certcast");
    }
    if (exit.status == exit_setup) {
        return internal(Ended::setup_failed, stage,
                        "the worker could not be set up; its output says why");
    }
    return internal(Ended::failed, stage,
                    "the plugin ended its process with exit status " + std::to_string(exit.status) +
                        " before it had a result");
}

}  // namespace certcast
