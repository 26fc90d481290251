#pragma once

#include "core/base/duration.hpp"
#include "core/plugin/descriptor.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace certcast {

/// How an attempt, or one stage of it, ended. The first cause wins.
enum class Ended {
    succeeded,
    failed,
    timed_out,
    crashed,
    cancelled,
    limit,
    protocol_error,
    setup_failed,
};
std::string_view name_of(Ended ended);

/// What kind of failure a plugin reports; the numbers are those of the ABI.
enum class Category : std::uint32_t {
    config = 1,
    auth = 2,
    network = 3,
    remote = 4,
    conflict = 5,
    timeout = 6,
    cancelled = 7,
    internal = 8,
};
std::string_view name_of(Category category);

enum class Retry : std::uint32_t { by_category = 0, never = 1, later = 2 };

/// Why something failed, in the plugin's or the host's words.
struct Failure {
    Category category = Category::internal;
    Retry retry = Retry::by_category;
    std::optional<Duration> retry_after;
    std::string code;  ///< the remote side's own word for it, may be empty
    std::string message;
};

/// The end of a stage or of an attempt. A failed attempt is data, never an exception.
struct Outcome {
    Ended ended = Ended::succeeded;
    Stage stage = Stage::deploy;
    int signal = 0;         ///< crashed: by which signal
    std::string limit;      ///< limit: its name
    bool late = false;      ///< succeeded within the grace after the deadline
    bool by_probe = false;  ///< of the host's own check in that stage
    Failure failure;        ///< of anything but success

    bool succeeded() const { return ended == Ended::succeeded; }

    static Outcome success(Stage stage) { return {.stage = stage}; }
    static Outcome of(Ended ended, Stage stage, Category category, std::string message) {
        return {.ended = ended,
                .stage = stage,
                .failure = {.category = category, .message = std::move(message)}};
    }
};

/// The stage's name, or "probe".
std::string_view stage_of(const Outcome& outcome);

/// Why it did not succeed: the message, or what is known without one.
std::string reason_of(const Outcome& outcome);

/// Whether another attempt may help: retry-later and, where the plugin left it open, network,
/// timeout and conflict failures, crashes and deadlines.
bool worth_retrying(const Outcome& outcome);

}  // namespace certcast
