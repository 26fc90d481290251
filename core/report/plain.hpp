#pragma once

#include "core/report/run_display.hpp"
#include "core/report/text_filter.hpp"

#include <spdlog/logger.h>

#include <ostream>
#include <string>

namespace certcast {

/// One line per event of interest, with its time and the deployment's name, then the summary: for
/// files, pipes and logs. The stream outlives it.
class PlainDisplay : public RunDisplay {
public:
    /// `time_pattern` is what spdlog puts in front of a line.
    PlainDisplay(std::ostream& out, TextFilter filter, bool verbose,
                 const std::string& time_pattern = "%Y-%m-%d %H:%M:%S.%e ");

    void note(std::string_view text) override;

    void run_started(const Pipeline& pipeline, const RunReport& report) override;
    void attempt_started(const Deployment& deployment, std::uint32_t attempt) override;
    void stage(const Deployment& deployment, std::uint32_t attempt,
               std::string_view stage) override;
    void log(const Deployment& deployment, const LogLine& line) override;
    void progress(const Deployment& deployment, std::uint32_t permille,
                  std::string_view what) override;
    void waiting(const Deployment& deployment, std::string_view why,
                 std::optional<Duration> how_long) override;
    void attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                          const Outcome& outcome) override;
    void deployment_finished(const DeploymentReport& deployment) override;
    void run_finished(const RunReport& report) override;

private:
    void line(spdlog::level::level_enum level, const std::string& name, const std::string& text);

    std::ostream& out_;
    TextFilter filter_;
    spdlog::logger lines_;
};

}  // namespace certcast
