#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <string>

using namespace certcast::testing;

namespace {

constexpr long most_host_memory_kb = 200 * 1024;

std::string flood(const Workspace& workspace, const std::string& plugin,
                  const std::string& config = {}) {
    std::string text = workspace.head();
    text += deployment("flood", plugin)
                .text("timeout", "100s")
                .value("limits", "{ output = \"none\" }")
                .value("config", "{ " + config + " }");
    return text + std::string(deployment("good", "test-works"));
}

}  // namespace

TEST_CASE("a million frames, or 100 MB of output, neither block nor fill the host") {
    const Workspace workspace;
    const char* plugin = "";
    SUBCASE("frames") {
        plugin = "test-million-logs";
    }
    SUBCASE("output") {
        plugin = "test-floods-stdout";
    }
    const auto host = workspace.start_run(flood(workspace, plugin));
    const Run run = workspace.collect(*host, "pipeline", 120s);
    CHECK(run.status == 0);
    CHECK(run.text("flood", "status") == "changed");
    CHECK(run.text("good", "status") == "changed");
    CHECK(run.number("good", "duration_ms") < 5000);
    CHECK(run.max_rss_kb < most_host_memory_kb);
    CHECK(leftovers().empty());
}

TEST_CASE("a host that stands still for a while blocks its worker, and both go on afterwards") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(flood(
        workspace, "test-million-logs", "announce = \"" + announcements.path().string() + "\""));
    const pid_t worker = announcements.next().process;
    host->signal(SIGSTOP);
    wait_until("the host stands still", [&] { return state_of(host->pid()) == 'T'; });
    wait_until("the worker waits for it", [&] { return state_of(worker) == 'S'; });
    host->signal(SIGCONT);
    const Run run = workspace.collect(*host, "pipeline", 120s);
    CHECK(run.text("flood", "status") == "changed");
    CHECK(run.max_rss_kb < most_host_memory_kb);
    CHECK(leftovers().empty());
}
