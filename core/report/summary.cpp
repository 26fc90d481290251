#include "core/report/summary.hpp"

#include "core/base/shell_word.hpp"
#include "core/report/phrases.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace certcast {

namespace {

using Deployments = std::vector<const DeploymentReport*>;

/// Beyond that many failures each gets one line.
constexpr std::size_t told_in_full = 20;

std::string some_of(const std::vector<std::string>& names, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    if (names.size() > most) text += " and " + std::to_string(names.size() - most) + " more";
    return text;
}

int rank(const DeploymentReport& deployment) {
    if (deployment.rollback == RollbackState::failed) return 0;
    if (deployment.rollback == RollbackState::pending) return 1;
    switch (deployment.status) {
        case Status::failed:
        case Status::timed_out:
        case Status::crashed:
            return 2;
        case Status::cancelled:
            return 3;
        case Status::skipped:
            return 4;
        case Status::changed:
        case Status::unchanged:
        case Status::deferred:
            break;
    }
    return 5;
}

std::string heading(const DeploymentReport& deployment) {
    switch (rank(deployment)) {
        case 0:
            return "ROLLBACK FAILED";
        case 1:
            return "ROLLBACK PENDING";
        default:
            break;
    }
    std::string text = in_words(deployment.status);
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

std::string next_step_by_category(Category category, const std::string& plugin) {
    switch (category) {
        case Category::config:
            return "correct what the message names, then try again";
        case Category::auth:
            return "check the credentials and what they are allowed to do";
        case Category::network:
            return "check that the target is up and can be reached from here";
        case Category::remote:
            return "look at the target's own log";
        case Category::conflict:
            return "something else changes the target too; try again when it is done";
        case Category::timeout:
            return "if the target is only slow, raise the timeout of that stage or of the probe";
        case Category::cancelled:
            return "try again";
        case Category::internal:
            break;
    }
    return "this looks like a fault of the plugin; `certcast plugin show " + plugin +
           "` says whose it is";
}

std::string next_step(const DeploymentReport& deployment) {
    if (deployment.rollback == RollbackState::failed) {
        return "look at the target by hand: what was there before may not be back, or not in use; "
               "`certcast forget " +
               deployment.name + "` has it stay as it is";
    }
    if (deployment.rollback == RollbackState::pending) {
        return "the target may be half-way between two certificates; run it again";
    }
    if (deployment.reason == "lock") {
        return "another run works on the same target; wait for it, or raise --lock-timeout";
    }
    if (!deployment.error) return {};
    const Outcome& outcome = *deployment.error;
    if (outcome.failure.code == "put_back") return "see why the others of its entry failed";
    switch (outcome.ended) {
        case Ended::timed_out:
            return "if the target is only slow, raise " +
                   (outcome.by_probe
                        ? "the timeout of its probe"
                        : "timeouts." + std::string(name_of(outcome.stage)) + " of the deployment");
        case Ended::limit:
            return "see why it needs that much, or raise the limit";
        case Ended::setup_failed:
            return "see the message";
        case Ended::cancelled:
            return next_step_by_category(Category::cancelled, deployment.plugin);
        case Ended::crashed:
        case Ended::protocol_error:
            return next_step_by_category(Category::internal, deployment.plugin);
        case Ended::succeeded:
        case Ended::failed:
            break;
    }
    return next_step_by_category(outcome.failure.category, deployment.plugin);
}

std::string rollback_in_words(const DeploymentReport& deployment) {
    switch (deployment.rollback) {
        case RollbackState::none:
            return deployment.proof == Proof::none
                       ? "none, the plugin had recorded no step that could be undone"
                       : "not needed, what was deployed is proven and stays";
        case RollbackState::done:
            return "done, what was there before is in place again";
        case RollbackState::failed:
            return "failed";
        case RollbackState::pending:
            return "pending, it was not carried out";
    }
    return {};
}

/// Writes the summary of one report.
class SummaryText {
public:
    SummaryText(const RunReport& report, const TextFilter& filter, Paint paint)
        : report_(report), filter_(filter), paint_(paint) {}

    std::string text() {
        failures();
        const bool bad = report_.exit_status() != exit_good;
        out_ += (bad ? paint_.strong(counts(report_)) : paint_.good(counts(report_))) + "\n";
        if (report_.interrupted) {
            out_ += "interrupted: what had not begun by then was not started\n";
        }
        doubts();
        served();
        return std::move(out_);
    }

private:
    void failures() {
        Deployments bad;
        for (const DeploymentReport& deployment : report_.deployments) {
            if (rank(deployment) < 5) bad.push_back(&deployment);
        }
        std::stable_sort(bad.begin(), bad.end(),
                         [](const auto* a, const auto* b) { return rank(*a) < rank(*b); });
        std::size_t in_full = 0;
        for (const DeploymentReport* deployment : bad) {
            const bool ran = deployment->attempts != 0 || deployment->status == Status::failed;
            if (ran && in_full < told_in_full) {
                ++in_full;
                failure(*deployment);
            } else {
                out_ += paint_.bad(heading(*deployment)) + "  " + filter_.line(deployment->name) +
                        short_reason(*deployment) + "\n";
            }
        }
        if (!bad.empty()) out_ += "\n";
    }

    std::string short_reason(const DeploymentReport& deployment) const {
        std::string text = deployment.error ? reason_of(*deployment.error) : deployment.reason;
        if (text.empty() && deployment.attempts == 0) text = "before it had begun";
        return text.empty() ? "" : ": " + filter_.line(text);
    }

    void failure(const DeploymentReport& deployment) {
        out_ += paint_.bad(heading(deployment)) + "  " +
                paint_.strong(filter_.line(deployment.name)) + " (" +
                filter_.line(deployment.plugin);
        if (!deployment.target.empty()) out_ += " on " + filter_.line(deployment.target);
        out_ += ")";
        if (deployment.attempts != 0 && deployment.error) {
            out_ += ": stage " + std::string(stage_of(*deployment.error)) + ", attempt " +
                    std::to_string(deployment.attempts) + ", " + in_words(deployment.duration);
        }
        out_ += "\n";
        if (deployment.error) {
            const Outcome& outcome = *deployment.error;
            block(std::string(kind_of(deployment)), reason_of(outcome));
            if (!outcome.failure.code.empty()) block("code", outcome.failure.code);
        } else {
            block("reason", deployment.reason);
        }
        if (deployment.attempts != 0) {
            block("rollback",
                  rollback_in_words(deployment) + (deployment.rollback_message.empty()
                                                       ? ""
                                                       : ": " + deployment.rollback_message));
        }
        for (std::size_t i = 0; i < deployment.serving.size(); ++i) {
            const Serving& serving = deployment.serving[i];
            if (serving.sha256.empty() && serving.not_after == 0) continue;
            block("served now", certificate_name(deployment, i) + " " + in_words(serving) +
                                    ", seen by " + serving.seen_by);
        }
        for (const std::string& warning : deployment.warnings) block("warning", warning);
        block("next", next_step(deployment));
        const std::string run = "certcast run " + shell_word(report_.pipeline_file) + " --only " +
                                in_single_quotes(deployment.name);
        block("look closer", run + " --verbose");
        block("try again", run);
    }

    static std::string_view kind_of(const DeploymentReport& deployment) {
        if (deployment.reason == "lock") return "lock";
        const Outcome& outcome = *deployment.error;
        switch (outcome.ended) {
            case Ended::protocol_error:
                return "protocol error";
            case Ended::setup_failed:
                return "setup failed";
            case Ended::limit:
                return "limit";
            case Ended::timed_out:
            case Ended::crashed:
            case Ended::cancelled:
            case Ended::succeeded:
                return "reason";
            case Ended::failed:
                break;
        }
        return name_of(outcome.failure.category);
    }

    /// "  label: text", further lines of the text below it.
    void block(std::string_view label, std::string_view text) {
        const std::vector<std::string> lines = filter_.lines(text);
        if (lines.empty()) return;
        out_ += "  " + std::string(label) + ": " + lines.front() + "\n";
        for (std::size_t i = 1; i < lines.size(); ++i) out_ += "      " + lines[i] + "\n";
    }

    /// What went well and still should be looked at.
    void doubts() {
        std::vector<std::string> unproven;
        std::vector<std::string> unconfined;
        std::vector<std::string> late;
        for (const DeploymentReport& deployment : report_.deployments) {
            if (deployment.sandbox == Sandbox::off) {
                unconfined.push_back(filter_.line(deployment.name));
            }
            if (!deployment.good()) continue;
            const std::string name = filter_.line(deployment.name);
            if (deployment.status == Status::changed && deployment.proof == Proof::none) {
                unproven.push_back(name);
            }
            if (deployment.late) late.push_back(name);
            for (const std::string& warning : deployment.warnings) {
                out_ += paint_.doubtful("warning: ") + name + ": " + filter_.line(warning) + "\n";
            }
        }
        if (!unproven.empty()) {
            out_ += paint_.doubtful("without proof: ") + some_of(unproven, 8) +
                    " (changed, but nothing looked at what is served now)\n";
        }
        if (!unconfined.empty()) {
            out_ += paint_.doubtful("without sandbox: ") + some_of(unconfined, 8) +
                    " (the pipeline switches it off)\n";
        }
        if (!late.empty()) {
            out_ += paint_.doubtful("late: ") + some_of(late, 8) +
                    " (done only after the deadline had passed)\n";
        }
    }

    void served() {
        std::map<std::pair<std::string, std::string>, std::vector<std::string>> places;
        for (const DeploymentReport& deployment : report_.deployments) {
            const bool was_left_out = deployment.good() && deployment.attempts == 0;
            if (was_left_out || deployment.status == Status::deferred) continue;
            const std::size_t count =
                std::max(deployment.certificates.size(), deployment.serving.size());
            for (std::size_t i = 0; i < count; ++i) {
                const Serving serving =
                    i < deployment.serving.size() ? deployment.serving[i] : Serving{};
                places[{filter_.line(certificate_name(deployment, i)), in_words(serving)}]
                    .push_back(filter_.line(deployment.name));
            }
        }
        if (places.empty()) return;
        out_ += "served now:\n";
        std::size_t widest = 0;
        for (const auto& [key, names] : places) widest = std::max(widest, width(key.first));
        for (const auto& [key, names] : places) {
            out_ += "  " + padded(key.first, widest) + "  " + key.second + ": " +
                    some_of(names, 5) + "\n";
        }
    }

    static std::string certificate_name(const DeploymentReport& deployment, std::size_t index) {
        return index < deployment.certificates.size() ? deployment.certificates[index]
                                                      : "certificate " + std::to_string(index + 1);
    }

    /// "1a2b3c4d5e6f7a8b until 2026-12-01 (in 8 days)".
    std::string in_words(const Serving& serving) const {
        if (serving.sha256.empty() && serving.not_after == 0) return "not known";
        std::string text =
            serving.sha256.empty() ? "unknown leaf" : filter_.line(serving.sha256.substr(0, 16));
        if (serving.not_after == 0) return text;
        text += " until " + rfc3339_seconds(serving.not_after).substr(0, 10);
        const auto finished = std::chrono::system_clock::to_time_t(report_.finished);
        if (serving.not_after <= finished) return text + " (expired)";
        return text + " (in " + std::to_string((serving.not_after - finished) / 86'400) + " days)";
    }

    static std::string in_words(Duration duration) { return certcast::in_words(duration); }

    const RunReport& report_;
    const TextFilter& filter_;
    Paint paint_;
    std::string out_;
};

}  // namespace

std::string counts(const RunReport& report) {
    std::map<Status, std::size_t> numbers;
    for (const DeploymentReport& deployment : report.deployments) ++numbers[deployment.status];
    std::string text;
    for (const auto& [status, number] : numbers) {
        text += (text.empty() ? "" : ", ") + std::to_string(number) + " " + in_words(status);
    }
    if (text.empty()) text = "nothing to do";
    const auto took = std::chrono::duration_cast<Duration>(report.finished - report.started);
    return text + " in " + in_words(took);
}

std::string summary(const RunReport& report, const TextFilter& filter, Paint paint) {
    return SummaryText(report, filter, paint).text();
}

}  // namespace certcast
