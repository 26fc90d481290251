#include "core/report/report_file.hpp"

#include "core/report/json_or_null.hpp"
#include "core/report/phrases.hpp"

#include <certcast/files.hpp>

#include <unistd.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>

namespace certcast {

namespace {

namespace json = boost::json;

json::array texts(const std::vector<std::string>& all, const TextFilter& filter) {
    json::array array;
    for (const std::string& text : all) array.emplace_back(filter.data(text));
    return array;
}

json::object to_json(const Serving& serving, const TextFilter& filter) {
    return {
        {"sha256", text_or_null(serving.sha256, filter)},
        {"not_after", serving.not_after == 0 ? json::value(nullptr)
                                             : json::value(rfc3339_seconds(serving.not_after))},
        {"seen_by", text_or_null(serving.seen_by, filter)},
    };
}

}  // namespace

json::value error_of(const Outcome& outcome, const TextFilter& filter) {
    if (outcome.succeeded()) return nullptr;
    return json::object{
        {"category", name_of(outcome.failure.category)},
        {"code", filter.data(outcome.failure.code)},
        {"message", filter.data(reason_of(outcome))},
        {"retryable", worth_retrying(outcome)},
    };
}

json::object to_json(const DeploymentReport& deployment, const TextFilter& filter) {
    json::array serving;
    for (const Serving& one : deployment.serving) serving.push_back(to_json(one, filter));
    json::object outputs;
    for (const auto& [name, value] : deployment.outputs) {
        outputs[filter.data(name)] = filter.data(value);
    }
    json::array probes;
    for (const auto& [place, result] : deployment.probes) {
        probes.push_back(
            json::object{{"place", filter.data(place)}, {"result", filter.data(result)}});
    }
    json::array warnings = texts(deployment.warnings, filter);
    if (!deployment.rollback_message.empty()) {
        warnings.emplace_back("rollback: " + filter.data(deployment.rollback_message));
    }
    return {
        {"name", filter.data(deployment.name)},
        {"plugin", filter.data(deployment.plugin)},
        {"target", text_or_null(deployment.target, filter)},
        {"certificates", texts(deployment.certificates, filter)},
        {"status", name_of(deployment.status)},
        {"reason", text_or_null(deployment.reason, filter)},
        {"rollback", name_of(deployment.rollback)},
        {"proof", name_of(deployment.proof)},
        {"serving", std::move(serving)},
        {"probes", std::move(probes)},
        {"late", deployment.late},
        {"sandbox", name_of(deployment.sandbox)},
        {"attempts", deployment.attempts},
        {"duration_ms", deployment.duration.count()},
        {"error", deployment.error ? error_of(*deployment.error, filter) : nullptr},
        {"outputs", std::move(outputs)},
        {"warnings", std::move(warnings)},
    };
}

json::object to_json(const RunReport& report, const TextFilter& filter) {
    json::array deployments;
    for (const DeploymentReport& deployment : report.deployments) {
        deployments.push_back(to_json(deployment, filter));
    }
    return {
        {"schema", 1},
        {"run", filter.data(report.run)},
        {"pipeline", filter.data(report.pipeline)},
        {"status", report.status()},
        {"started", rfc3339(report.started)},
        {"finished", rfc3339(report.finished)},
        {"sandbox_gaps", texts(report.sandbox_gaps, filter)},
        {"control_groups", texts(report.control_groups, filter)},
        {"deployments", std::move(deployments)},
    };
}

Result<void> report_can_be_written(const std::filesystem::path& file) {
    std::error_code ignored;
    const std::filesystem::file_status there = std::filesystem::status(file, ignored);
    if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
        // It would be replaced, /dev/null with everything else.
        return Error{ErrorCode::io,
                     "--report: this is no regular file, expected the name of one; --output json "
                     "writes to standard output",
                     file.string()};
    }
    const std::filesystem::path folder =
        file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    if (::access(folder.c_str(), W_OK | X_OK) != 0) {
        return system_error("--report: cannot write into this folder", errno, folder.string());
    }
    return {};
}

Result<void> write_report(const std::filesystem::path& file, const RunReport& report,
                          const TextFilter& filter) {
    try {
        write_file(file, json::serialize(to_json(report, filter)) + "\n", 0600);
    } catch (const std::exception& failure) {
        return Error{ErrorCode::io,
                     std::string("the report could not be written: ") + failure.what(),
                     file.string()};
    }
    return {};
}

}  // namespace certcast
