#include "core/worker/worker_exit.hpp"

#include "core/base/byte_size.hpp"
#include "core/worker/worker_wire.hpp"

#include <signal.h>
#include <string.h>

#include <optional>

namespace certcast {

namespace {

std::string signal_words(int number) {
    const char* name = sigabbrev_np(number);
    return name == nullptr ? "signal " + std::to_string(number) : "SIG" + std::string(name);
}

/// A limit that explains this end.
std::optional<Outcome> reached_limit(const WorkerExit& exit, const Limits& limits, Stage stage) {
    const bool used_up_cpu =
        exit.signal == SIGXCPU || (exit.signal == SIGKILL && exit.cpu >= limits.cpu);
    if (limits.cpu.count() != 0 && used_up_cpu) {
        return limit_outcome(stage, "cpu",
                             "it used more than " + in_words(limits.cpu) + " of processor time");
    }
    if (limits.file_size != 0 && exit.signal == SIGXFSZ) {
        return limit_outcome(stage, "file_size",
                             "it wrote a file of more than " + to_byte_size(limits.file_size));
    }
    // Near the limit counts too: what does not fit any more is not there to be seen.
    const std::uint64_t nearly_all = limits.memory - limits.memory / 8;
    const bool ended_badly = exit.signal != 0 || exit.status != 0;
    const bool too_much = exit.group_out_of_memory || exit.status == exit_out_of_memory ||
                          (ended_badly && exit.most_memory >= nearly_all);
    if (limits.memory != 0 && too_much) {
        return limit_outcome(stage, "memory",
                             "it wanted more than " + to_byte_size(limits.memory) + " of memory");
    }
    return std::nullopt;
}

Outcome internal(Ended ended, Stage stage, std::string message) {
    return Outcome::of(ended, stage, Category::internal, std::move(message));
}

}  // namespace

Outcome limit_outcome(Stage stage, std::string name, std::string message) {
    Outcome outcome = Outcome::of(Ended::limit, stage, Category::internal, std::move(message));
    outcome.limit = std::move(name);
    return outcome;
}

Outcome outcome_of(const WorkerExit& exit, bool started, const Limits& limits, Stage stage) {
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
    if (auto limit = reached_limit(exit, limits, stage)) return std::move(*limit);
    if (exit.signal != 0) {
        Outcome outcome =
            internal(Ended::crashed, stage, "the worker was ended by " + signal_words(exit.signal));
        outcome.signal = exit.signal;
        return outcome;
    }
    if (exit.status == exit_protocol) {
        return internal(
            Ended::protocol_error, stage,
            "the worker found its connection to certcast disturbed; its output may say why");
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
