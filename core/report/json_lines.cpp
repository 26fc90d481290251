#include "core/report/json_lines.hpp"

#include "core/report/phrases.hpp"
#include "core/report/report_file.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace certcast {

namespace json = boost::json;

JsonLinesDisplay::JsonLinesDisplay(std::ostream& out, std::ostream& notes, TextFilter filter,
                                   Now now)
    : out_(out), notes_(notes), filter_(filter), now_(std::move(now)) {}

void JsonLinesDisplay::write(std::string_view event, const std::string* deployment,
                             const json::object& more) {
    json::object line{{"time", rfc3339(now_())}, {"event", event}, {"run", run_}};
    line["deployment"] =
        deployment == nullptr ? json::value(nullptr) : json::value(filter_.data(*deployment));
    for (const auto& member : more) line.insert(member);
    out_ << json::serialize(line) + "\n" << std::flush;
}

void JsonLinesDisplay::note(std::string_view text) {
    notes_ << "certcast: " << filter_.line(text) << std::endl;
}

void JsonLinesDisplay::run_started(const Pipeline&, const RunReport& report) {
    run_ = filter_.data(report.run);
    json::array deployments;
    for (const DeploymentReport& deployment : report.deployments) {
        deployments.emplace_back(filter_.data(deployment.name));
    }
    write("run_started", nullptr,
          {{"pipeline", filter_.data(report.pipeline)},
           {"file", filter_.data(report.pipeline_file)},
           {"deployments", std::move(deployments)}});
}

void JsonLinesDisplay::attempt_started(const Deployment& deployment, std::uint32_t attempt) {
    write("attempt_started", &deployment.name,
          {{"attempt", attempt},
           {"plugin", filter_.data(deployment.plugin)},
           {"target", deployment.target.empty() ? json::value(nullptr)
                                                : json::value(filter_.data(deployment.target))}});
}

void JsonLinesDisplay::stage(const Deployment& deployment, std::uint32_t attempt,
                             std::string_view stage) {
    write("stage", &deployment.name, {{"attempt", attempt}, {"stage", filter_.data(stage)}});
}

void JsonLinesDisplay::log(const Deployment& deployment, const LogLine& line) {
    json::object fields;
    for (const auto& [name, value] : line.fields) fields[filter_.data(name)] = filter_.data(value);
    write("log", &deployment.name,
          {{"level", name_of(line.level)},
           {"message", filter_.data(line.message)},
           {"fields", std::move(fields)},
           {"from_output", line.from_output}});
}

void JsonLinesDisplay::progress(const Deployment& deployment, std::uint32_t permille,
                                std::string_view what) {
    write("progress", &deployment.name, {{"permille", permille}, {"what", filter_.data(what)}});
}

void JsonLinesDisplay::waiting(const Deployment& deployment, std::string_view why,
                               std::optional<Duration> how_long) {
    write("waiting", &deployment.name,
          {{"why", filter_.data(why)},
           {"for_ms", how_long ? json::value(how_long->count()) : json::value(nullptr)}});
}

void JsonLinesDisplay::attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                                        const Outcome& outcome) {
    write("attempt_finished", &deployment.name,
          {{"attempt", attempt},
           {"ended", name_of(outcome.ended)},
           {"stage", stage_of(outcome)},
           {"signal", outcome.signal},
           {"limit", filter_.data(outcome.limit)},
           {"late", outcome.late},
           {"error", error_of(outcome, filter_)}});
}

void JsonLinesDisplay::deployment_finished(const DeploymentReport& deployment) {
    json::object more = to_json(deployment, filter_);
    more.erase("name");
    write("deployment_finished", &deployment.name, more);
}

void JsonLinesDisplay::run_finished(const RunReport& report) {
    json::object numbers;
    for (const DeploymentReport& deployment : report.deployments) {
        json::value& number = numbers[name_of(deployment.status)];
        number = number.is_null() ? 1 : number.as_int64() + 1;
    }
    write("run_finished", nullptr,
          {{"status", report.status()},
           {"exit_status", static_cast<int>(report.exit_status())},
           {"counts", std::move(numbers)},
           {"duration_ms",
            std::chrono::duration_cast<Duration>(report.finished - report.started).count()}});
}

}  // namespace certcast
