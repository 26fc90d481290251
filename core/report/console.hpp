#pragma once

#include "core/report/paint.hpp"
#include "core/report/run_display.hpp"
#include "core/report/text_filter.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <ostream>
#include <string>

namespace certcast {

struct TerminalSize {
    std::size_t columns = 80;
    std::size_t rows = 24;

    static TerminalSize of(int fd);
};

struct ConsoleOptions {
    bool verbose = false;
    Paint paint;
    std::function<TerminalSize()> size;
    std::function<std::chrono::steady_clock::time_point()> now = &std::chrono::steady_clock::now;
};

/// A live line per running deployment on a terminal, finished ones above them, and the summary at
/// the end. Draws in tick() alone, so that no number of events costs more than ten pictures a
/// second. The cursor rests below the live lines and is never hidden: a host that is killed leaves
/// a terminal that works.
class ConsoleDisplay : public RunDisplay {
public:
    ConsoleDisplay(std::ostream& out, TextFilter filter, ConsoleOptions options);
    ~ConsoleDisplay() override { close(); }
    ConsoleDisplay(const ConsoleDisplay&) = delete;
    ConsoleDisplay& operator=(const ConsoleDisplay&) = delete;

    void note(std::string_view text) override;
    void tick() override;
    void close() override;

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
    using time_point = std::chrono::steady_clock::time_point;

    /// What is known of one deployment that has begun.
    struct Live {
        std::size_t order = 0;
        std::uint32_t attempt = 0;
        time_point started;
        std::string stage;
        std::optional<std::uint32_t> permille;
        std::string text;
        bool waits = false;
        std::optional<time_point> until;
        std::string former_failure;  ///< of the attempt before, told only if another one follows
    };

    Live& live(const Deployment& deployment);
    void tell_former_failure(const Deployment& deployment, Live& line);
    void above(const std::string& name, const std::string& text);
    std::vector<std::string> picture() const;
    std::string line_of(const std::string& name, const Live& line, std::size_t name_width) const;
    void draw(const std::vector<std::string>& lines);

    std::ostream& out_;
    TextFilter filter_;
    ConsoleOptions options_;
    std::map<std::string, Live> live_;
    std::size_t begun_ = 0;
    std::size_t finished_ = 0;
    std::size_t all_ = 0;
    std::string above_;      ///< to be printed above the live lines
    std::size_t drawn_ = 0;  ///< live lines that stand on the screen
};

}  // namespace certcast
