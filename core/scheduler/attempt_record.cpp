#include "core/scheduler/attempt_record.hpp"

#include <iterator>

namespace certcast {

namespace {

void set_status(DeploymentReport& report, const Outcome& outcome, bool changed) {
    report.reason.clear();
    switch (outcome.ended) {
        case Ended::succeeded:
            report.status = changed ? Status::changed : Status::unchanged;
            return;
        case Ended::timed_out:
            report.status = Status::timed_out;
            return;
        case Ended::crashed:
            report.status = Status::crashed;
            return;
        case Ended::cancelled:
            report.status = Status::cancelled;
            report.reason = "interrupted";
            return;
        case Ended::limit:
            report.status = Status::failed;
            report.reason = "limit:" + outcome.limit;
            return;
        case Ended::failed:
        case Ended::protocol_error:
        case Ended::setup_failed:
            report.status = Status::failed;
            report.reason = name_of(outcome.ended);
            return;
    }
}

void add_warnings(DeploymentReport& report, std::vector<std::string> warnings) {
    report.warnings.insert(report.warnings.end(), std::make_move_iterator(warnings.begin()),
                           std::make_move_iterator(warnings.end()));
}

}  // namespace

void record(DeploymentReport& report, AttemptResult result, bool changed_before) {
    // An attempt that could not undo what an earlier one left says nothing new about why that one
    // failed; what it says of the rollback is kept.
    const bool failed_to_undo = !result.outcome.succeeded() &&
                                result.outcome.stage == Stage::rollback && report.error.has_value();
    if (failed_to_undo) result.outcome = *report.error;
    set_status(report, result.outcome, result.changed || changed_before);
    if (!result.would_change.empty()) {
        report.status = Status::deferred;
        report.reason = "would change: " + result.would_change;
        report.would_change = std::move(result.would_change);
    }
    report.late = result.outcome.late;
    report.proof = result.proof;
    report.serving = std::move(result.serving);
    report.probes = std::move(result.probes);
    report.outputs = std::move(result.outputs);
    add_warnings(report, std::move(result.warnings));
    // An attempt that ended before it touched anything says nothing about what became of earlier
    // ones.
    if (result.outcome.succeeded() || result.rollback != RollbackState::none) {
        report.rollback = result.rollback;
        report.rollback_message = std::move(result.rollback_message);
    }
    if (!result.outcome.succeeded()) report.error = std::move(result.outcome);
}

void record_conclusion(DeploymentReport& report, AttemptResult result,
                       const std::string& why_put_back) {
    add_warnings(report, std::move(result.warnings));
    if (why_put_back.empty()) return;
    report.rollback = result.rollback;
    report.rollback_message = std::move(result.rollback_message);
    report.proof = Proof::none;
    report.serving = std::move(result.serving);
    report.probes = std::move(result.probes);
    report.status = Status::failed;
    report.reason = report.rollback == RollbackState::done ? "put back" : "not put back";
    report.error =
        Outcome::of(Ended::failed, Stage::verify, Category::config,
                    "it was deployed, and is to be put back with the others: " + why_put_back);
    report.error->failure.code = "put_back";
}

void record_failure(DeploymentReport& report, Ended ended, Category category, std::string message) {
    Outcome outcome = Outcome::of(ended, Stage::inspect, category, std::move(message));
    set_status(report, outcome, false);
    report.error = std::move(outcome);
}

}  // namespace certcast
