#include "core/report/plan_view.hpp"

#include "core/report/json_or_null.hpp"
#include "core/report/phrases.hpp"
#include "core/report/table.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <chrono>

namespace certcast {

namespace json = boost::json;

namespace {

std::string_view action_of(const DeploymentReport& deployment) {
    if (!deployment.would_change.empty()) return "change";
    if (deployment.error && deployment.error->failure.code.starts_with("guard:")) return "refused";
    switch (deployment.status) {
        case Status::changed:
        case Status::unchanged:
            return "none";
        case Status::deferred:
            return "deferred";
        case Status::failed:
        case Status::timed_out:
        case Status::crashed:
        case Status::cancelled:
        case Status::skipped:
            return "unknown";
    }
    return "unknown";
}

std::string reason_of_action(const DeploymentReport& deployment, const TextFilter& filter) {
    if (!deployment.would_change.empty()) return filter.line(deployment.would_change);
    if (deployment.error) return filter.line(reason_of(*deployment.error));
    return filter.line(deployment.reason);
}

Serving serving_of(const DeploymentReport& deployment, std::size_t certificate) {
    return certificate < deployment.serving.size() ? deployment.serving[certificate] : Serving{};
}

json::object to_json(const DeploymentReport& deployment, const TextFilter& filter) {
    json::array certificates;
    for (std::size_t i = 0; i < deployment.certificates.size(); ++i) {
        const Serving serving = serving_of(deployment, i);
        certificates.push_back(
            json::object{{"name", filter.data(deployment.certificates[i])},
                         {"live", text_or_null(serving.sha256)},
                         {"live_not_after", serving.not_after == 0
                                                ? json::value(nullptr)
                                                : json::value(rfc3339_seconds(serving.not_after))},
                         {"seen_by", text_or_null(serving.seen_by)}});
    }
    return {{"name", filter.data(deployment.name)},
            {"plugin", filter.data(deployment.plugin)},
            {"target", text_or_null(deployment.target, filter)},
            {"action", action_of(deployment)},
            {"reason", text_or_null(reason_of_action(deployment, filter))},
            {"certificates", std::move(certificates)}};
}

std::size_t changes_in(const RunReport& report) {
    return static_cast<std::size_t>(std::count_if(
        report.deployments.begin(), report.deployments.end(),
        [](const DeploymentReport& deployment) { return !deployment.would_change.empty(); }));
}

}  // namespace

std::string plan_in_a_table(const RunReport& report, const TextFilter& filter) {
    const std::int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::vector<Row> rows{
        {"DEPLOYMENT", "PLUGIN", "ACTION", "CERTIFICATE", "LIVE", "EXPIRES", "REASON"}};
    for (const DeploymentReport& deployment : report.deployments) {
        for (std::size_t i = 0; i < deployment.certificates.size(); ++i) {
            const Serving serving = serving_of(deployment, i);
            rows.push_back({filter.line(deployment.name), filter.line(deployment.plugin),
                            std::string(action_of(deployment)),
                            filter.line(deployment.certificates[i]), short_print(serving.sha256),
                            expiry(serving.not_after, now), reason_of_action(deployment, filter)});
        }
    }
    const std::size_t changes = changes_in(report);
    std::string last = (changes == 0 ? "nothing" : std::to_string(changes)) + " of " +
                       std::to_string(report.deployments.size()) + " would be changed";
    const auto unknown = std::count_if(
        report.deployments.begin(), report.deployments.end(),
        [](const DeploymentReport& deployment) { return action_of(deployment) == "unknown"; });
    if (unknown > 0) last += ", as far as is known: of " + std::to_string(unknown) + " it is not";
    return table(rows) + last + "\n";
}

json::object plan_in_json(const RunReport& report, const TextFilter& filter) {
    json::array deployments;
    for (const DeploymentReport& deployment : report.deployments) {
        deployments.push_back(to_json(deployment, filter));
    }
    return {{"schema", 1},
            {"pipeline", filter.data(report.pipeline)},
            {"file", filter.data(report.pipeline_file)},
            {"changes", changes_in(report)},
            {"deployments", std::move(deployments)}};
}

ExitStatus plan_exit_status(const RunReport& report) {
    const ExitStatus status = report.exit_status();
    if (status != exit_good) return status;
    return changes_in(report) == 0 ? exit_good : exit_changes_pending;
}

}  // namespace certcast
