#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>

using namespace certcast::testing;

namespace {

/// What a deployment was told of its process, or of itself.
struct Told {
    int process = 0;
    int validated = 0;
    int closed = 0;
    int destroyed = 0;
    std::string error;
};

/// Deployments that are validated one after the other, as they are in the pipeline.
class Validated {
public:
    Validated& with(const std::string& name, const std::string& config = {},
                    const std::string& settings = {}) {
        pipeline_ += std::string(deployment(name, "test-validates")) + settings +
                     "config = { file = \"/nowhere/" + name + "\"" + config + " }\n";
        return *this;
    }

    std::map<std::string, Told> check(int status = 0, int parallel = 1) const {
        std::ofstream(workspace_ / "pipeline.toml")
            << workspace_.head() << "max_parallel = " << parallel << '\n'
            << pipeline_;
        const Said said = workspace_.say({"check", (workspace_ / "pipeline.toml").string()});
        CAPTURE(said.errors);
        CHECK(said.status == status);
        CHECK(leftovers().empty());
        std::map<std::string, Told> all;
        std::istringstream lines(said.errors);
        for (std::string line; std::getline(lines, line);) read(line, all);
        return all;
    }

private:
    /// "FILE:LINE: warning: NAME: how: process .." or "FILE:LINE: error: NAME: ..".
    static void read(const std::string& line, std::map<std::string, Told>& all) {
        const std::size_t level = line.find(": ") + 2;
        const std::size_t name = line.find(": ", level) + 2;
        const std::size_t text = line.find(": ", name) + 2;
        const std::string of = line.substr(name, text - 2 - name);
        if (line.compare(level, 5, "error") == 0) {
            all[of].error = line.substr(text);
        } else if (Told told; std::sscanf(line.c_str() + text,
                                          "how: process %d, %d validated, %d closed, %d destroyed",
                                          &told.process, &told.validated, &told.closed,
                                          &told.destroyed) == 4) {
            all[of] = told;
        }
    }

    Workspace workspace_;
    std::string pipeline_;
};

}  // namespace

TEST_CASE("deployments that need the same are validated by one process, each with its own object") {
    auto told = Validated().with("a").with("b").with("c").check();
    REQUIRE(told.size() == 3);
    CHECK(told["a"].process != 0);
    CHECK(told["b"].process == told["a"].process);
    CHECK(told["c"].process == told["a"].process);
    CHECK(told["c"].validated == 3);
    CHECK(told["c"].closed == 2);
    CHECK(told["c"].destroyed == 2);
}

TEST_CASE("no more are validated at once than is of use") {
    const std::size_t useful = 4 * std::max(std::thread::hardware_concurrency(), 2u);
    Validated all;
    for (std::size_t i = 0; i < 3 * useful; ++i) all.with("d" + std::to_string(i));
    const auto told = all.check(0, static_cast<int>(3 * useful));
    CHECK(told.size() == 3 * useful);
    std::set<int> processes;
    for (const auto& [name, of] : told) processes.insert(of.process);
    CHECK(processes.size() <= useful);
}

TEST_CASE("what needs something else of its process is validated by another") {
    const char* config = "";
    const char* settings = "";
    SUBCASE("a path") {
        config = ", reads = \"/etc/hostname\"";
    }
    SUBCASE("a limit") {
        settings = "limits = { files = 100 }\n";
    }
    auto told = Validated().with("a").with("b", config, settings).with("c").check();
    REQUIRE(told.size() == 3);
    CHECK(told["b"].process != told["a"].process);
    CHECK(told["b"].validated == 1);
    CHECK(told["c"].process != told["b"].process);
}

TEST_CASE("who does not end its validation well is told so, and nobody else is") {
    const char* how = "";
    const char* error = "";
    const char* settings = "";
    SUBCASE("a crash") {
        how = "crashes";
        error = "SIGABRT";
    }
    SUBCASE("a hang") {
        how = "hangs";
        error = "not done after 0.3 s";
        settings = "timeouts = { validate = \"300ms\" }\ngrace = \"50ms\"\n";
    }
    SUBCASE("more output than it may have, at the very end") {
        how = "prints_in_close";
        error = "more than 20KiB";
        settings = "limits = { output = \"20KiB\" }\n";
    }
    SUBCASE("an end in close") {
        how = "dies_in_close";
        error = "exit status 3";
    }
    auto told = Validated()
                    .with("a")
                    .with("bad", std::string(", how = \"") + how + "\"", settings)
                    .with("b")
                    .with("c")
                    .check(2);
    CHECK(told["bad"].error.find(error) != std::string::npos);
    for (const char* name : {"a", "b", "c"}) {
        CAPTURE(name);
        CHECK(told[name].process != 0);
        CHECK(told[name].error.empty());
    }
    CHECK(told["b"].validated == 1);
    CHECK(told["c"].process == told["b"].process);
}

TEST_CASE("what fails because of those before it passes in a process of its own") {
    auto told = Validated().with("a").with("b", ", how = \"once\"").with("c").check();
    REQUIRE(told.size() == 3);
    CHECK(told["b"].process != told["a"].process);
    CHECK(told["b"].validated == 1);
    CHECK(told["c"].process == told["b"].process);
}

TEST_CASE("a process in which a thread was left validates nobody else") {
    auto told = Validated().with("a", ", how = \"leaves_thread\"").with("b").with("c").check();
    REQUIRE(told.size() == 3);
    CHECK(told["b"].process != told["a"].process);
    CHECK(told["c"].process == told["b"].process);
}

TEST_CASE("each may print as much as if it were alone") {
    const char* const limits = "limits = { output = \"1MiB\" }\n";
    auto told = Validated()
                    .with("a", ", how = \"prints\"", limits)
                    .with("b", ", how = \"prints\"", limits)
                    .check();
    REQUIRE(told.size() == 2);
    CHECK(told["b"].process == told["a"].process);
}
