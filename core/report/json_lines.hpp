#pragma once

#include "core/report/run_display.hpp"
#include "core/report/text_filter.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <ostream>
#include <string>

namespace certcast {

/// One JSON object a line and event, for programs. Notes of the host go to `notes`, which people
/// read. Both streams outlive it.
class JsonLinesDisplay : public RunDisplay {
public:
    using Now = std::function<std::chrono::system_clock::time_point()>;

    JsonLinesDisplay(std::ostream& out, std::ostream& notes, TextFilter filter,
                     Now now = &std::chrono::system_clock::now);

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
    /// `deployment` is null for events of the whole run.
    void write(std::string_view event, const std::string* deployment,
               const boost::json::object& more);

    std::ostream& out_;
    std::ostream& notes_;
    TextFilter filter_;
    Now now_;
    std::string run_;
};

}  // namespace certcast
