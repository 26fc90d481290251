#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/neighbours.hpp"

#include <doctest/doctest.h>
#include <string.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

using namespace certcast::testing;

TEST_CASE("what a plugin does not declare it does not reach, and its neighbours succeed") {
    const Workspace workspace;
    const auto other = workspace.folder().write("other.txt", "as it was");
    const std::string key = (workspace / "shop.key").string();
    struct Reach {
        const char* plugin;
        std::string target;
        const char* told;  ///< by the sandbox, where it is asked
    };
    const Reach all[] = {
        {"test-read-key", key, ""},
        {"test-write-file", other.string(), ""},
        {"test-truncate-file", other.string(), ""},
        {"test-change-mode", other.string(), "chmod"},
        {"test-connect-tcp", "443", "socket(AF_INET): the plugin does not declare NETWORK"},
        {"test-send-udp", "53", "socket(AF_INET): the plugin does not declare NETWORK"},
        {"test-connect-unix", "/run/there", "does not declare UNIX_SOCKETS"},
        {"test-run-program", "/bin/true", "execve: the plugin does not declare EXEC"},
        {"test-run-memfd", "", "execveat: the plugin does not declare EXEC"},
        {"test-kill-init", "", "kill of process 1: the plugin does not declare SIGNALS"},
        {"test-kill-parent", "", "the plugin does not declare SIGNALS"},
        {"test-outlive-parent", "", ""},
    };
    for (const Reach& one : all) {
        SUBCASE(one.plugin) {
            const Run run = workspace.run(
                among_neighbours(workspace, one.plugin, "target = \"" + one.target + "\""));
            CAPTURE(run.output);
            CHECK(run.text("bad", "status") == "failed");
            CHECK(run.text("bad", "reason") == "failed");
            const std::string message = run.message("bad");
            const bool refused = message.starts_with(strerrordesc_np(EPERM)) ||
                                 message.starts_with(strerrordesc_np(EACCES));
            CHECK(refused);
            CHECK(message.find(one.told) != std::string::npos);
            check_neighbours(run);
            CHECK(leftovers().empty());
            CHECK(content_of(other) == "as it was");
            CHECK(std::filesystem::status(other).permissions() != std::filesystem::perms::all);
        }
    }
}

TEST_CASE("what a sandbox refuses is a warning of the deployment") {
    const Workspace workspace;
    const Run run = workspace.run(among_neighbours(workspace, "test-attacks-neighbours"));
    CAPTURE(run.output);
    const std::string warnings = run.text("bad", "warnings");
    CHECK(warnings.find("the sandbox refused ptrace: it is granted to no plugin") !=
          std::string::npos);
    CHECK(run.text("good1", "warnings") == "[]");
}

TEST_CASE("no worker starts a process in the place of another worker") {
    const Workspace workspace;
    std::string pipeline = workspace.head() + "max_parallel = 4\n";
    constexpr int deployments = 24;
    for (int i = 0; i < deployments; ++i)
        pipeline += deployment("bad" + std::to_string(i), "test-forks-undeclared");
    const Run run = workspace.run(pipeline);
    CAPTURE(run.output);
    for (int i = 0; i < deployments; ++i)
        CHECK(run.text("bad" + std::to_string(i), "status") == "changed");
}
