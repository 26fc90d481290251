#include "core/report/journal_record.hpp"

#include "core/report/phrases.hpp"
#include "core/scheduler/deployment_memory.hpp"

namespace certcast {

std::vector<WantedCertificate> wanted_of(const Deployment& deployment,
                                         const CertificateStore& certificates) {
    std::vector<WantedCertificate> wanted;
    for (const std::string& name : deployment.certificates) {
        const CertificateBundle* bundle = certificates.find(name);
        if (bundle == nullptr) continue;
        wanted.push_back({name, to_hex(bundle->sha256()), in_ms(bundle->not_after()) / 1000});
    }
    return wanted;
}

void JournalRecord::run_started(const Pipeline& pipeline, const RunReport& report) {
    run_ = report.run;
    pipeline_file_ = report.pipeline_file;
    RunStarted started{.run = run_,
                       .pipeline = report.pipeline,
                       .pipeline_file = pipeline_file_,
                       .at = in_ms(report.started),
                       .deployments = {}};
    for (const Deployment& deployment : pipeline.deployments) {
        RunStarted::Planned& planned = started.deployments.emplace_back();
        planned.name = deployment.name;
        planned.plugin = deployment.plugin;
        planned.target = deployment.target;
        planned.digest = digest_of(deployment);
        planned.certificates = wanted_of(deployment, certificates_);
    }
    journal_.record(std::move(started));
}

void JournalRecord::attempt_started(const Deployment& deployment, std::uint32_t attempt) {
    journal_.record(AttemptStarted{run_, deployment.name, attempt, now_in_ms()});
}

void JournalRecord::log(const Deployment& deployment, const LogLine& line) {
    std::string message = line.message;
    for (const auto& [name, value] : line.fields) message += ", " + name + "=" + value;
    journal_.record(LoggedLine{run_, deployment.name, now_in_ms(), std::string(name_of(line.level)),
                               filter_.line(message)});
}

void JournalRecord::attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                                     const Outcome& outcome) {
    const std::string message = outcome.succeeded() ? "" : filter_.line(reason_of(outcome));
    journal_.record(AttemptFinished{run_, deployment.name, attempt, now_in_ms(),
                                    std::string(name_of(outcome.ended)), message});
}

void JournalRecord::deployment_finished(const DeploymentReport& report) {
    DeploymentFinished finished{
        .run = run_,
        .pipeline_file = pipeline_file_,
        .deployment = report.name,
        .at = now_in_ms(),
        .wanted_at = begun_at_,
        .status = std::string(name_of(report.status)),
        .reason = filter_.line(report.reason),
        .message = report.error ? filter_.line(reason_of(*report.error)) : "",
        .rollback = std::string(name_of(report.rollback)),
        .rollback_message = filter_.line(report.rollback_message),
        .proof = std::string(name_of(report.proof)),
        .attempts = report.attempts,
        .duration_ms = report.duration.count(),
        .outputs = {},
        .certificates = {}};
    for (const std::string& warning : report.warnings) {
        journal_.record(LoggedLine{run_, report.name, now_in_ms(), "warning",
                                   "in the report: " + filter_.line(warning)});
    }
    for (const auto& [name, value] : report.outputs) {
        finished.outputs.emplace_back(filter_.line(name), filter_.data(value));
    }
    for (std::size_t i = 0; i < report.serving.size() && i < report.certificates.size(); ++i) {
        const Serving& serving = report.serving[i];
        if (serving.seen_by.empty()) continue;
        finished.certificates.push_back(
            {report.certificates[i], serving.sha256, serving.not_after, serving.seen_by});
    }
    journal_.record(std::move(finished));
}

void JournalRecord::run_finished(const RunReport& report) {
    journal_.record(RunFinished{run_, in_ms(report.finished), std::string(report.status())});
}

}  // namespace certcast
