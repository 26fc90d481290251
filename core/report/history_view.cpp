#include "core/report/history_view.hpp"

#include "core/base/duration.hpp"
#include "core/report/json_or_null.hpp"
#include "core/report/phrases.hpp"
#include "core/report/table.hpp"

#include <boost/json/object.hpp>

#include <chrono>

namespace certcast {

namespace json = boost::json;

namespace {

std::string time_of(std::int64_t ms) {
    return ms == 0 ? "-" : rfc3339_seconds(ms / 1000);
}

json::value time_or_null(std::int64_t ms) {
    return ms == 0 ? json::value(nullptr) : json::value(rfc3339_seconds(ms / 1000));
}

json::object head_of(const PastRun& run, const TextFilter& filter) {
    return {{"run", run.name},
            {"pipeline", filter.data(run.pipeline)},
            {"file", filter.data(run.pipeline_file)},
            {"started", time_or_null(run.started)},
            {"finished", time_or_null(run.finished)},
            {"status", status_of(run)}};
}

json::object to_json(const PastDeploymentLog& one, const TextFilter& filter) {
    const PastDeployment& deployment = one.deployment;
    json::object outputs;
    for (const auto& [name, value] : deployment.outputs) {
        outputs[filter.data(name)] = filter.data(value);
    }
    json::array lines;
    for (const PastLine& line : one.lines) {
        lines.push_back(json::object{{"time", time_or_null(line.at)},
                                     {"level", line.level},
                                     {"message", filter.data(line.message)}});
    }
    return {{"name", filter.data(deployment.name)},
            {"plugin", filter.data(deployment.plugin)},
            {"target", text_or_null(deployment.target, filter)},
            {"status", status_of(deployment)},
            {"reason", text_or_null(deployment.reason, filter)},
            {"message", text_or_null(deployment.message, filter)},
            {"rollback", deployment.rollback},
            {"rollback_message", text_or_null(deployment.rollback_message, filter)},
            {"proof", deployment.proof},
            {"began", time_or_null(deployment.began)},
            {"ended", time_or_null(deployment.ended)},
            {"attempts", deployment.attempts},
            {"duration_ms", deployment.duration_ms},
            {"outputs", std::move(outputs)},
            {"log", std::move(lines)}};
}

std::string in_full(const PastDeploymentLog& one, const TextFilter& filter) {
    const PastDeployment& deployment = one.deployment;
    std::string text = filter.line(deployment.name) + " (" + filter.line(deployment.plugin) +
                       "): " + status_of(deployment);
    if (!deployment.reason.empty() && deployment.reason != deployment.status) {
        text += " (" + filter.line(deployment.reason) + ")";
    }
    if (deployment.attempts > 0 && deployment.ended != 0) {
        text += ", attempt " + std::to_string(deployment.attempts) + ", " +
                in_words(Duration(deployment.duration_ms));
    }
    if (deployment.proof != "none") text += ", proven by " + deployment.proof;
    text += '\n';
    if (!deployment.message.empty()) text += "  " + filter.line(deployment.message) + '\n';
    if (deployment.rollback != "none") {
        text += "  rollback: " + deployment.rollback;
        if (!deployment.rollback_message.empty()) {
            text += ", " + filter.line(deployment.rollback_message);
        }
        text += '\n';
    }
    for (const auto& [name, value] : deployment.outputs) {
        text += "  output " + filter.line(name) + " = " + filter.line(value) + '\n';
    }
    for (const PastLine& line : one.lines) {
        text +=
            "  " + time_of(line.at) + ' ' + line.level + ": " + filter.line(line.message) + '\n';
    }
    return text;
}

}  // namespace

std::string_view name_of(CertificateStatus::State state) {
    switch (state) {
        case CertificateStatus::State::as_wanted:
            return "as wanted";
        case CertificateStatus::State::differs:
            return "differs";
        case CertificateStatus::State::unknown:
            return "unknown";
        case CertificateStatus::State::never_run:
            return "never run";
        case CertificateStatus::State::queued:
            return "queued";
        case CertificateStatus::State::unsettled:
            return "unsettled";
        case CertificateStatus::State::unclaimed:
            return "unclaimed";
    }
    return "unknown";
}

std::string in_words(const HalfWay& one) {
    std::string places;
    for (const std::string& place : one.places) {
        places += (places.empty() ? " at " : ", ") + without_plugin(place);
    }
    return one.deployment + places + ", half-way since " + time_of(one.since);
}

std::string status_of(const PastRun& run) {
    return run.status.empty() ? "unfinished" : run.status;
}

std::string status_of(const PastDeployment& deployment) {
    if (!deployment.status.empty()) return deployment.status;
    return deployment.began == 0 ? "not started" : "unknown";
}

std::string in_a_table(const std::vector<PastRun>& runs, const TextFilter& filter) {
    std::vector<Row> rows{{"RUN", "STARTED", "TOOK", "STATUS", "GOOD", "PIPELINE"}};
    for (const PastRun& run : runs) {
        const bool ended = run.finished != 0;
        rows.push_back({run.name, time_of(run.started),
                        ended ? in_words(Duration(run.finished - run.started)) : "-",
                        status_of(run),
                        std::to_string(run.succeeded) + " of " + std::to_string(run.deployments),
                        filter.line(run.pipeline_file)});
    }
    return table(rows);
}

std::string in_a_table(const std::vector<CertificateStatus>& all, const TextFilter& filter,
                       std::int64_t now) {
    std::vector<Row> rows{{"DEPLOYMENT", "CERTIFICATE", "STATE", "WANTED", "OBSERVED", "SEEN BY",
                           "SINCE", "EXPIRES"}};
    for (const CertificateStatus& one : all) {
        const ObservedCertificate& observed = one.known.observed;
        const bool seen = !observed.seen_by.empty();
        rows.push_back({filter.line(one.known.deployment),
                        one.known.wanted.name.empty() ? "-" : filter.line(one.known.wanted.name),
                        std::string(name_of(one.state)), short_print(one.known.wanted.sha256),
                        short_print(observed.sha256), seen ? observed.seen_by : "-",
                        time_of(seen ? one.known.observed_since : 0),
                        expiry(observed.not_after, now)});
    }
    return table(rows);
}

std::string in_full(const PastRun& run, const std::vector<PastDeploymentLog>& deployments,
                    const TextFilter& filter) {
    std::string text = "run " + run.name + " of " + filter.line(run.pipeline_file) + ": " +
                       status_of(run) + ", from " + time_of(run.started) + " to " +
                       time_of(run.finished) + '\n';
    for (const PastDeploymentLog& one : deployments) text += in_full(one, filter);
    return text;
}

json::array to_json(const std::vector<PastRun>& runs, const TextFilter& filter) {
    json::array all;
    for (const PastRun& run : runs) {
        json::object one = head_of(run, filter);
        one["deployments"] = run.deployments;
        one["succeeded"] = run.succeeded;
        all.push_back(std::move(one));
    }
    return all;
}

json::array to_json(const std::vector<CertificateStatus>& all, const TextFilter& filter) {
    json::array array;
    for (const CertificateStatus& one : all) {
        const KnownCertificate& known = one.known;
        array.push_back(
            json::object{{"deployment", filter.data(known.deployment)},
                         {"certificate", text_or_null(known.wanted.name, filter)},
                         {"state", name_of(one.state)},
                         {"wanted", text_or_null(known.wanted.sha256)},
                         {"wanted_not_after", time_or_null(known.wanted.not_after * 1000)},
                         {"wanted_since", time_or_null(known.wanted_since)},
                         {"observed", text_or_null(known.observed.sha256)},
                         {"observed_not_after", time_or_null(known.observed.not_after * 1000)},
                         {"observed_since", time_or_null(known.observed_since)},
                         {"observed_at", time_or_null(known.observed_at)},
                         {"seen_by", text_or_null(known.observed.seen_by)}});
    }
    return array;
}

json::object to_json(const PastRun& run, const std::vector<PastDeploymentLog>& deployments,
                     const TextFilter& filter) {
    json::object whole = head_of(run, filter);
    json::array all;
    for (const PastDeploymentLog& one : deployments) all.push_back(to_json(one, filter));
    whole["deployments"] = std::move(all);
    return whole;
}

}  // namespace certcast
