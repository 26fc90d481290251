#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

using Moments = std::vector<std::string>;

const char* const forward[] = {
    "before step 1",  "after step 1",   "within write 1", "after write 1", "before step 2",
    "after step 2",   "within write 2", "after write 2",  "before step 3", "after step 3",
    "within write 3", "after write 3",  "after reload",   "in verify",
};
const char* const backward[] = {"before undo 3", "after undo 3",  "before undo 2",
                                "after undo 2",  "before undo 1", "after undo 1"};

/// A site of three files that are reloaded into a fourth, and a host that is killed where the
/// plugin stops.
class Site {
public:
    Site() {
        std::filesystem::create_directory(workspace / "site");
        REQUIRE(run("former").text("site", "status") == "changed");
    }

    Run run(const std::string& text) const { return workspace.run(pipeline(text, {}, {})); }

    /// `dies`: where the worker dies before that, so that it is undone.
    void kill_host(const std::string& moment, const Moments& dies = {}) const {
        const Announcements reached(workspace / "site/moment");
        const auto host = workspace.start_run(pipeline("newer", {moment}, dies));
        reached.next();
        host->signal(SIGKILL);
        host->wait();
        wait_for_no_leftovers();
        std::filesystem::remove(reached.path());
    }

    /// A run without an accident finds out what is half-way, and ends as wanted.
    void check_converges() const {
        const Run again = run("newer");
        CAPTURE(again.output);
        CHECK(again.text("site", "status") == "changed");
        CHECK(again.text("site", "proof") == "verify");
        CHECK(again.number("site", "attempts") == 1);
        for (const char* name : {"one", "two", "three", "served"})
            CHECK(read_text(workspace / "site" / name) == "newer");
        CHECK(run("newer").text("site", "status") == "unchanged");
    }

    const Workspace workspace;

private:
    std::string pipeline(const std::string& text, const Moments& stops, const Moments& dies) const {
        Toml site = deployment("site", "test-steps");
        site.table("deploy.site.config")
            .text("folder", (workspace / "site").string())
            .text("text", text)
            .value("stop_at", Toml::list(stops))
            .value("die_at", Toml::list(dies));
        return workspace.head() + std::string(site);
    }
};

}  // namespace

TEST_CASE("a host that is killed while it deploys is made good by the next run") {
    for (const char* moment : forward) {
        SUBCASE(moment) {
            const Site site;
            site.kill_host(moment);
            site.check_converges();
        }
    }
}

TEST_CASE("a host that is killed while it cleans up after the proof undoes nothing any more") {
    for (const char* moment : {"before settle", "after settle"}) {
        SUBCASE(moment) {
            const Site site;
            site.kill_host(moment);
            const Run again = site.run("newer");
            CAPTURE(again.output);
            CHECK(again.text("site", "status") == "unchanged");
            CHECK(read_text(site.workspace / "site/served") == "newer");
            CHECK_FALSE(std::filesystem::exists(site.workspace / "site/kept"));
            CHECK(site.run("newest").text("site", "status") == "changed");
        }
    }
}

TEST_CASE("a host that is killed while it rolls back is made good by the next run") {
    for (const char* moment : backward) {
        SUBCASE(moment) {
            const Site site;
            site.kill_host(moment, {"in verify"});
            site.check_converges();
        }
    }
}

TEST_CASE("a host that is killed while it makes good what a killed one left is made good, too") {
    for (const char* first :
         {"after step 3", "within write 3", "after write 3", "after reload", "in verify"}) {
        for (const char* second : backward) {
            const std::string both = std::string(first) + ", then " + second;
            SUBCASE(both.c_str()) {
                const Site site;
                site.kill_host(first);
                site.kill_host(second);
                site.check_converges();
            }
        }
    }
}
