#include "core/report/console.hpp"

#include "core/report/phrases.hpp"
#include "core/report/summary.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace certcast {

namespace {

constexpr std::size_t stage_width = 8;
constexpr std::size_t widest_name = 40;
constexpr std::size_t bar_width = 20;

std::string bar(std::uint32_t permille) {
    const std::size_t filled = std::min<std::size_t>(permille, 1000) * bar_width / 1000;
    return "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "] " +
           std::to_string(std::min<std::uint32_t>(permille, 1000) / 10) + "%";
}

std::string painted(const DeploymentReport& deployment, const std::string& text, Paint paint) {
    const std::size_t size = in_words(deployment.status).size();
    const std::string word = text.substr(0, size);
    const bool doubtful = deployment.status == Status::cancelled ||
                          deployment.status == Status::skipped ||
                          deployment.status == Status::deferred;
    return (doubtful            ? paint.doubtful(word)
            : deployment.good() ? paint.good(word)
                                : paint.bad(word)) +
           text.substr(size);
}

}  // namespace

TerminalSize TerminalSize::of(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

ConsoleDisplay::ConsoleDisplay(std::ostream& out, TextFilter filter, ConsoleOptions options)
    : out_(out), filter_(filter), options_(std::move(options)) {}

ConsoleDisplay::Live& ConsoleDisplay::live(const Deployment& deployment) {
    const auto [place, is_new] = live_.try_emplace(deployment.name);
    if (is_new) {
        place->second.order = begun_++;
        place->second.started = options_.now();
    }
    return place->second;
}

void ConsoleDisplay::above(const std::string& name, const std::string& text) {
    above_ += options_.paint.strong(filter_.line(name)) + ": " + text + "\n";
}

void ConsoleDisplay::note(std::string_view text) {
    above_ += options_.paint.strong("certcast: ") + filter_.line(text) + "\n";
    tick();
}

void ConsoleDisplay::run_started(const Pipeline&, const RunReport& report) {
    all_ = report.deployments.size();
}

void ConsoleDisplay::tell_former_failure(const Deployment& deployment, Live& line) {
    if (line.former_failure.empty()) return;
    above(deployment.name, std::exchange(line.former_failure, {}));
}

void ConsoleDisplay::attempt_started(const Deployment& deployment, std::uint32_t attempt) {
    Live& line = live(deployment);
    tell_former_failure(deployment, line);
    line.attempt = attempt;
    line.stage = "starting";
    line.permille.reset();
    line.text.clear();
    line.waits = false;
}

void ConsoleDisplay::stage(const Deployment& deployment, std::uint32_t, std::string_view stage) {
    Live& line = live(deployment);
    line.stage = filter_.line(stage);
    line.permille.reset();
    line.text.clear();
    line.waits = false;
}

void ConsoleDisplay::log(const Deployment& deployment, const LogLine& log_line) {
    const bool matters = log_line.level == LogLevel::warning || log_line.level == LogLevel::error;
    if (!matters && !options_.verbose) return;
    const std::string text = one_line(log_line, filter_);
    above(deployment.name, matters ? options_.paint.doubtful(text) : options_.paint.faint(text));
}

void ConsoleDisplay::progress(const Deployment& deployment, std::uint32_t permille,
                              std::string_view what) {
    Live& line = live(deployment);
    line.permille = permille;
    line.text = filter_.line(what);
    line.waits = false;
}

void ConsoleDisplay::waiting(const Deployment& deployment, std::string_view why,
                             std::optional<Duration> how_long) {
    Live& line = live(deployment);
    tell_former_failure(deployment, line);
    line.waits = true;
    line.text = filter_.line(why);
    line.until.reset();
    if (how_long) line.until = options_.now() + *how_long;
}

void ConsoleDisplay::attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                                      const Outcome& outcome) {
    if (outcome.succeeded()) return;
    live(deployment).former_failure = options_.paint.doubtful(
        "attempt " + std::to_string(attempt) + " did not succeed in " +
        std::string(stage_of(outcome)) + ": " + filter_.line(reason_of(outcome)));
}

void ConsoleDisplay::deployment_finished(const DeploymentReport& deployment) {
    live_.erase(deployment.name);
    ++finished_;
    above(deployment.name, painted(deployment, one_line(deployment, filter_), options_.paint));
}

void ConsoleDisplay::run_finished(const RunReport& report) {
    live_.clear();
    if (!above_.empty()) above_ += "\n";
    above_ += summary(report, filter_, options_.paint);
    draw({});
}

std::string ConsoleDisplay::line_of(const std::string& name, const Live& line,
                                    std::size_t name_width) const {
    const auto now = options_.now();
    const auto elapsed = std::chrono::duration_cast<Duration>(now - line.started);
    std::string text = "  " + padded(clipped(filter_.line(name), name_width), name_width) + "  " +
                       padded(line.waits ? "waiting" : line.stage, stage_width) + "  " +
                       padded(in_words(elapsed), 7);
    if (line.attempt > 1) text += " attempt " + std::to_string(line.attempt) + " ";
    if (!line.waits && line.permille) text += " " + bar(*line.permille);
    if (!line.text.empty()) text += " " + line.text;
    if (line.waits && line.until && *line.until > now) {
        text += ", " + in_words(std::chrono::duration_cast<Duration>(*line.until - now)) + " left";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::vector<std::string> ConsoleDisplay::picture() const {
    if (live_.empty()) return {};
    const TerminalSize size = options_.size ? options_.size() : TerminalSize{};
    // What never began to work only waits for its turn: it comes last.
    std::vector<const std::pair<const std::string, Live>*> order;
    for (const auto& entry : live_) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        return std::pair(a->second.attempt == 0, a->second.order) <
               std::pair(b->second.attempt == 0, b->second.order);
    });
    // One row for the count, one for what does not fit, one for the cursor.
    const std::size_t rows = size.rows > 4 ? size.rows - 3 : 1;
    const std::size_t shown = std::min(order.size(), rows);
    std::size_t name_width = 0;
    for (std::size_t i = 0; i < shown; ++i) {
        name_width = std::max(name_width, width(filter_.line(order[i]->first)));
    }
    name_width = std::min(name_width, widest_name);

    // The last column stays empty: some terminals break the line there.
    const std::size_t columns = size.columns > 1 ? size.columns - 1 : 1;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < shown; ++i) {
        const auto& [name, line] = *order[i];
        lines.push_back(clipped(line_of(name, line, name_width), columns));
    }
    if (order.size() > shown) {
        lines.push_back(
            clipped("  … and " + std::to_string(order.size() - shown) + " more", columns));
    }
    lines.push_back(options_.paint.faint(
        clipped(std::to_string(finished_) + " of " + std::to_string(all_) + " finished", columns)));
    return lines;
}

void ConsoleDisplay::draw(const std::vector<std::string>& lines) {
    if (drawn_ == 0 && lines.empty() && above_.empty()) return;
    std::string text;
    if (drawn_ != 0) text += "\r\x1b[" + std::to_string(drawn_) + "A\x1b[J";
    text += std::exchange(above_, {});
    for (const std::string& line : lines) text += line + "\n";
    drawn_ = lines.size();
    out_ << text << std::flush;
}

void ConsoleDisplay::tick() {
    draw(picture());
}

void ConsoleDisplay::close() {
    live_.clear();
    draw({});
}

}  // namespace certcast
