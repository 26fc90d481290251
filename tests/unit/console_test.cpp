#include "core/report/console.hpp"
#include "tests/unit/report_samples.hpp"

#include <doctest/doctest.h>

#include <sstream>

using namespace certcast;
using namespace certcast::testing;

namespace {

/// A console of which a test turns the clock and the size.
struct Screen {
    explicit Screen(TerminalSize wanted = {}) : size(wanted) {
        ConsoleOptions options;
        options.size = [this] { return size; };
        options.now = [this] { return now; };
        console = std::make_unique<ConsoleDisplay>(out, TextFilter(nothing), std::move(options));
    }
    /// What was written since the last call.
    std::string written() {
        std::string text = out.str();
        out.str({});
        return text;
    }

    Redactor nothing;
    TerminalSize size;
    std::chrono::steady_clock::time_point now{};
    std::ostringstream out;
    std::unique_ptr<ConsoleDisplay> console;
};

}  // namespace

TEST_CASE("the console shows what runs below what has ended") {
    Screen screen;
    ConsoleDisplay& console = *screen.console;
    console.run_started(Pipeline{}, run_of({proven("web"), proven("mail")}));
    console.attempt_started(planned("web"), 1);
    console.attempt_started(planned("mail"), 2);
    console.stage(planned("web"), 1, "deploy");
    CHECK(screen.written().empty());  // only tick() draws
    screen.now += Duration(1500);
    console.progress(planned("web"), 500, "upload");
    console.waiting(planned("mail"), "for a lock", Duration(3000));
    console.tick();
    CHECK(screen.written() ==
          "  web   deploy    1.5 s   [##########..........] 50% upload\n"
          "  mail  waiting   1.5 s   attempt 2  for a lock, 3.0 s left\n"
          "0 of 2 finished\n");
    console.attempt_started(planned("mail"), 3);
    console.tick();
    CHECK(screen.written().find("  mail  starting  1.5 s   attempt 3\n") != std::string::npos);
    console.deployment_finished(proven("web"));
    console.tick();
    CHECK(screen.written() ==
          "\r\x1b[3A\x1b[J"
          "web: changed in 1.2 s, proven by probe\n"
          "  mail  starting  1.5 s   attempt 3\n"
          "1 of 2 finished\n");
    console.close();
    CHECK(screen.written() == "\r\x1b[2A\x1b[J");
    console.close();
    CHECK(screen.written().empty());
}

TEST_CASE("the console keeps to the terminal's height and width") {
    Screen screen({30, 10});
    ConsoleDisplay& console = *screen.console;
    for (int i = 0; i < 20; ++i) {
        console.attempt_started(planned("a-rather-long-name-" + std::to_string(i)), 1);
        console.progress(planned("a-rather-long-name-" + std::to_string(i)), 10, "and some text");
    }
    console.tick();
    const std::vector<std::string> lines = lines_of(screen.written());
    CHECK(lines.size() == 9);  // one row is left for the cursor
    for (const std::string& line : lines) CHECK(width(line) < 30);
    CHECK(lines[7] == "  … and 13 more");
}

TEST_CASE("the console tells of a failed attempt only when another one follows") {
    Screen screen;
    ConsoleDisplay& console = *screen.console;
    const Outcome outcome = Outcome::of(Ended::failed, Stage::deploy, Category::network, "refused");
    console.attempt_started(planned("web"), 1);
    console.attempt_finished(planned("web"), 1, outcome);
    console.tick();
    CHECK(screen.written().find("refused") == std::string::npos);
    console.attempt_started(planned("web"), 2);
    console.tick();
    CHECK(screen.written().find("web: attempt 1 did not succeed in deploy: refused\n") !=
          std::string::npos);
}

TEST_CASE("what plugins say by the way is for those who ask for it") {
    for (const bool verbose : {false, true}) {
        CAPTURE(verbose);
        std::ostringstream out;
        const Redactor nothing;
        ConsoleOptions options;
        options.verbose = verbose;
        ConsoleDisplay console(out, TextFilter(nothing), options);
        console.log(planned("web"), {LogLevel::info, "by the way", {}, true});
        console.log(planned("web"), {LogLevel::error, "broken", {}, false});
        console.tick();
        CHECK((out.str().find("web: by the way") != std::string::npos) == verbose);
        CHECK(out.str().find("web: error: broken\n") != std::string::npos);
    }
}
