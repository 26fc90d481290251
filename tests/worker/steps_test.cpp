#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

std::string deploy(const Workspace& workspace, const std::string& text,
                   const std::vector<std::string>& die_at = {}, int die_attempts = 1,
                   int attempts = 3) {
    const std::string retry =
        "{ attempts = " + std::to_string(attempts) + ", backoff = \"1ms\", max_backoff = \"2ms\" }";
    Toml site = deployment("site", "test-steps");
    site.value("retry", retry)
        .table("deploy.site.config")
        .text("folder", (workspace / "site").string())
        .text("text", text)
        .value("die_at", Toml::list(die_at))
        .value("die_attempts", std::to_string(die_attempts));
    return workspace.head() + std::string(site);
}

std::vector<std::string> files(const Workspace& workspace) {
    std::vector<std::string> contents;
    for (const char* name : {"one", "two", "three", "served"})
        contents.push_back(read_text(workspace / "site" / name));
    return contents;
}

std::vector<std::string> all_of(const std::string& text) {
    return {text, text, text, text};
}

const char* const moments[] = {
    "before step 1",  "after step 1",   "within write 1", "after write 1", "before step 2",
    "after step 2",   "within write 2", "after write 2",  "before step 3", "after step 3",
    "within write 3", "after write 3",  "after reload",   "in verify",
};

}  // namespace

TEST_CASE("a worker killed at any step is rolled back, deployed again and proven") {
    const Workspace workspace;
    std::filesystem::create_directory(workspace / "site");
    for (const char* moment : moments) {
        SUBCASE(moment) {
            REQUIRE(workspace.run(deploy(workspace, "former")).text("site", "status") == "changed");
            REQUIRE(files(workspace) == all_of("former"));

            const Run run = workspace.run(deploy(workspace, "newer", {moment}));
            CAPTURE(run.output);
            CHECK(run.text("site", "status") == "changed");
            CHECK(run.text("site", "proof") == "verify");
            CHECK(run.number("site", "attempts") == 2);
            CHECK(files(workspace) == all_of("newer"));

            CHECK(workspace.run(deploy(workspace, "newer")).text("site", "status") == "unchanged");
            CHECK(leftovers().empty());
        }
    }
}

TEST_CASE("a worker killed at the same step every time leaves what was there before") {
    const Workspace workspace;
    std::filesystem::create_directory(workspace / "site");
    for (const char* moment : moments) {
        SUBCASE(moment) {
            REQUIRE(workspace.run(deploy(workspace, "former")).text("site", "status") == "changed");
            const Run run = workspace.run(deploy(workspace, "newer", {moment}, 9, 2));
            CAPTURE(run.output);
            CHECK(run.text("site", "status") == "crashed");
            CHECK(run.number("site", "attempts") == 2);
            const bool before_first_step = std::string_view(moment) == "before step 1";
            CHECK(run.text("site", "rollback") == (before_first_step ? "none" : "done"));
            CHECK(files(workspace) == all_of("former"));
            CHECK(run.status == 1);
            CHECK(leftovers().empty());
        }
    }
}

TEST_CASE("files that were not there before are gone again after rollback") {
    const Workspace workspace;
    std::filesystem::create_directory(workspace / "site");
    const Run run = workspace.run(deploy(workspace, "newer", {"after write 3"}, 9, 1));
    CHECK(run.text("site", "rollback") == "done");
    for (const std::string name : {"one", "two", "three"}) {
        CAPTURE(name);
        CHECK_FALSE(std::filesystem::exists(workspace / "site" / name));
    }
}

TEST_CASE("a rollback that is killed as well is taken up by the next attempt") {
    const Workspace workspace;
    std::filesystem::create_directory(workspace / "site");
    std::vector<std::string> die_at;
    SUBCASE("before it undid anything") {
        die_at = {"after write 3", "before undo 3"};
    }
    SUBCASE("after a step was undone but not yet said to be") {
        die_at = {"after write 3", "after undo 2"};
    }
    SUBCASE("half-way") {
        die_at = {"within write 3", "before undo 2"};
    }
    REQUIRE(workspace.run(deploy(workspace, "former")).text("site", "status") == "changed");
    const Run run = workspace.run(deploy(workspace, "newer", die_at));
    CAPTURE(run.output);
    CHECK(run.text("site", "status") == "changed");
    CHECK(run.text("site", "proof") == "verify");
    CHECK(run.number("site", "attempts") == 2);
    CHECK(files(workspace) == all_of("newer"));
    CHECK(leftovers().empty());
}

TEST_CASE("a rollback that never works is reported as failed") {
    const Workspace workspace;
    std::filesystem::create_directory(workspace / "site");
    REQUIRE(workspace.run(deploy(workspace, "former")).text("site", "status") == "changed");
    const Run run =
        workspace.run(deploy(workspace, "newer", {"after write 2", "before undo 2"}, 9, 2));
    CAPTURE(run.output);
    CHECK(run.text("site", "status") == "crashed");  // as the attempt that began it
    CHECK(run.text("site", "rollback") == "failed");
    CHECK(run.status == 1);
    CHECK(leftovers().empty());
}
