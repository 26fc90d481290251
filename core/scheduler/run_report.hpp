#pragma once

#include "core/base/sandbox.hpp"
#include "core/worker/outcome.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast {

enum class Status {
    changed,
    unchanged,
    failed,
    timed_out,
    crashed,
    cancelled,
    skipped,
    deferred,
};
std::string_view name_of(Status status);
/// It is as it should be there.
inline bool has_succeeded(Status status) {
    return status == Status::changed || status == Status::unchanged;
}
/// The same, or somebody wants it to wait.
inline bool is_good(Status status) {
    return has_succeeded(status) || status == Status::deferred;
}

enum class RollbackState { none, done, failed, pending };
std::string_view name_of(RollbackState state);

enum class Proof { none, verify, probe };
std::string_view name_of(Proof proof);

/// What is served now, as far as it was seen.
struct Serving {
    std::string sha256;          ///< of the leaf, hexadecimal; empty: not known
    std::int64_t not_after = 0;  ///< seconds since 1970; 0: not known
    std::string seen_by;         ///< probe or inspect
};

/// How one deployment ended, for people and for programs. What only few have stands last.
struct DeploymentReport {
    std::string name;
    std::string plugin;
    std::string target;
    std::vector<std::string> certificates;
    Status status = Status::failed;
    RollbackState rollback = RollbackState::none;
    Proof proof = Proof::none;
    Sandbox sandbox = Sandbox::on;
    std::uint32_t attempts = 0;
    bool late = false;
    Duration duration{};
    /// Of failed: failed, protocol_error, setup_failed, limit:NAME, lock. Of skipped: which need.
    std::string reason;
    std::vector<Serving> serving;  ///< one per certificate
    /// Of the latest time that was looked: the place, and "served" or what is wrong.
    std::vector<std::pair<std::string, std::string>> probes;
    std::vector<std::pair<std::string, std::string>> outputs;
    std::vector<std::string> warnings;
    std::string rollback_message;  ///< why it failed, or why it is pending
    std::string would_change;  ///< of deferred: why it ought to be changed, as far as that was seen
    std::optional<Outcome> error;  ///< the last attempt that did not succeed

    bool good() const { return is_good(status); }
};

/// What the program's end means to whoever started it.
enum ExitStatus : int {
    exit_good = 0,
    exit_some_failed = 1,
    exit_invalid = 2,  ///< command line, pipeline or certificate; nothing was touched
    exit_host_failed = 3,
    exit_no_lock = 4,
    exit_changes_pending = 10,  ///< of a plan
    exit_interrupted = 130,
};

/// How a whole run ended. Deployments are in the order of the pipeline.
struct RunReport {
    std::string run;  ///< sortable by time: 20261123T094500Z-1a2b
    std::string pipeline;
    std::string pipeline_file;
    std::chrono::system_clock::time_point started;
    std::chrono::system_clock::time_point finished;
    bool interrupted = false;
    std::vector<DeploymentReport> deployments;
    std::vector<std::string> sandbox_gaps;    ///< what of sandboxes this machine does not enforce
    std::vector<std::string> control_groups;  ///< what they did: "sweep", "memory", "processes"

    /// Of a run that took place: not exit_invalid, not exit_host_failed.
    ExitStatus exit_status() const;
    /// "ok", "failed" or "interrupted".
    std::string_view status() const;
    const DeploymentReport* find(std::string_view name) const;
};

}  // namespace certcast
