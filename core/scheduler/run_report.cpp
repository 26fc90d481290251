#include "core/scheduler/run_report.hpp"

#include <algorithm>

namespace certcast {

std::string_view name_of(Status status) {
    switch (status) {
        case Status::changed:
            return "changed";
        case Status::unchanged:
            return "unchanged";
        case Status::failed:
            return "failed";
        case Status::timed_out:
            return "timed_out";
        case Status::crashed:
            return "crashed";
        case Status::cancelled:
            return "cancelled";
        case Status::skipped:
            return "skipped";
        case Status::deferred:
            return "deferred";
    }
    return "failed";
}

std::string_view name_of(RollbackState state) {
    switch (state) {
        case RollbackState::none:
            return "none";
        case RollbackState::done:
            return "done";
        case RollbackState::failed:
            return "failed";
        case RollbackState::pending:
            return "pending";
    }
    return "none";
}

std::string_view name_of(Proof proof) {
    switch (proof) {
        case Proof::none:
            return "none";
        case Proof::verify:
            return "verify";
        case Proof::probe:
            return "probe";
    }
    return "none";
}

ExitStatus RunReport::exit_status() const {
    if (interrupted) return exit_interrupted;
    bool any_locked = false;
    bool any_skipped = false;
    for (const DeploymentReport& deployment : deployments) {
        if (deployment.good()) continue;
        if (deployment.status == Status::skipped) {
            any_skipped = true;
        } else if (deployment.status == Status::failed && deployment.reason == "lock") {
            any_locked = true;
        } else {
            return exit_some_failed;
        }
    }
    // What was skipped where locks are all that failed was skipped because of them.
    if (any_locked) return exit_no_lock;
    return any_skipped ? exit_some_failed : exit_good;
}

std::string_view RunReport::status() const {
    if (interrupted) return "interrupted";
    return exit_status() == exit_good ? "ok" : "failed";
}

const DeploymentReport* RunReport::find(std::string_view name) const {
    const auto found = std::find_if(deployments.begin(), deployments.end(),
                                    [&](const DeploymentReport& one) { return one.name == name; });
    return found == deployments.end() ? nullptr : &*found;
}

}  // namespace certcast
