#include "core/report/plain.hpp"

#include "core/report/phrases.hpp"
#include "core/report/summary.hpp"

#include <spdlog/sinks/ostream_sink.h>

namespace certcast {

namespace {

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
        case LogLevel::info:
            return spdlog::level::debug;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::debug;
}

}  // namespace

PlainDisplay::PlainDisplay(std::ostream& out, TextFilter filter, bool verbose,
                           const std::string& time_pattern)
    : out_(out),
      filter_(filter),
      lines_("plain", std::make_shared<spdlog::sinks::ostream_sink_st>(out, true)) {
    lines_.set_pattern(time_pattern + "%v");
    lines_.set_level(verbose ? spdlog::level::debug : spdlog::level::info);
}

void PlainDisplay::line(spdlog::level::level_enum level, const std::string& name,
                        const std::string& text) {
    lines_.log(level, "{}: {}", filter_.line(name), text);
}

void PlainDisplay::note(std::string_view text) {
    lines_.info("certcast: {}", filter_.line(text));
}

void PlainDisplay::run_started(const Pipeline&, const RunReport& report) {
    lines_.info("run {} of {}", filter_.line(report.run), filter_.line(report.pipeline_file));
}

void PlainDisplay::attempt_started(const Deployment& deployment, std::uint32_t attempt) {
    line(spdlog::level::info, deployment.name,
         "attempt " + std::to_string(attempt) + " with " + filter_.line(deployment.plugin));
}

void PlainDisplay::stage(const Deployment& deployment, std::uint32_t, std::string_view stage) {
    line(spdlog::level::info, deployment.name, filter_.line(stage));
}

void PlainDisplay::log(const Deployment& deployment, const LogLine& log_line) {
    const auto level = level_of(log_line.level);
    // Masking what is not shown would be most of the work.
    if (lines_.should_log(level)) line(level, deployment.name, one_line(log_line, filter_));
}

void PlainDisplay::progress(const Deployment& deployment, std::uint32_t permille,
                            std::string_view what) {
    line(spdlog::level::debug, deployment.name,
         std::to_string(permille / 10) + "% " + filter_.line(what));
}

void PlainDisplay::waiting(const Deployment& deployment, std::string_view why,
                           std::optional<Duration> how_long) {
    line(spdlog::level::info, deployment.name,
         "waiting: " + filter_.line(why) + (how_long ? ", " + in_words(*how_long) : ""));
}

void PlainDisplay::attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                                    const Outcome& outcome) {
    if (outcome.succeeded()) return;
    line(spdlog::level::warn, deployment.name,
         "attempt " + std::to_string(attempt) + " did not succeed in " +
             std::string(stage_of(outcome)) + ": " + filter_.line(reason_of(outcome)));
}

void PlainDisplay::deployment_finished(const DeploymentReport& deployment) {
    line(spdlog::level::info, deployment.name, one_line(deployment, filter_));
}

void PlainDisplay::run_finished(const RunReport& report) {
    out_ << '\n' << summary(report, filter_, Paint(false)) << std::flush;
}

}  // namespace certcast
