#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Plan : Said {
    json::value deployment(std::size_t index) const { return parsed().at("deployments").at(index); }
};

class Site {
public:
    Site() {
        workspace.issue("shop");
        fs::create_directory(workspace / "site");
    }

    std::string file() const {
        return deployment("site", "file")
            .table("deploy.site.config")
            .text("fullchain", (workspace / "site/shop.crt").string())
            .text("key", (workspace / "site/shop.key").string());
    }
    Plan plan(const std::string& deployments, std::vector<std::string> arguments = {"--json"}) {
        const fs::path pipeline =
            workspace.folder().write("pipeline.toml", workspace.head() + deployments);
        arguments.insert(arguments.begin(), {"plan", pipeline.string()});
        return {workspace.say(std::move(arguments))};
    }

    Workspace workspace;
};

/// Every file below with what would tell a change: inode, size, and when it was changed last.
std::map<std::string, std::vector<long>> all_below(const fs::path& folder) {
    std::map<std::string, std::vector<long>> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        struct stat status {};
        if (lstat(entry.path().c_str(), &status) != 0) continue;
        all[entry.path().string()] = {static_cast<long>(status.st_ino),
                                      static_cast<long>(status.st_size), status.st_mtim.tv_sec,
                                      status.st_mtim.tv_nsec, status.st_ctim.tv_nsec};
    }
    return all;
}

}  // namespace

TEST_CASE("a plan says what a run would change, why, and by its exit status whether") {
    Site site;
    const Plan absent = site.plan(site.file());
    CAPTURE(absent.errors);
    CHECK(absent.status == 10);
    CHECK(absent.deployment(0).at("action") == "change");
    CHECK(absent.deployment(0).at("reason") == "absent");
    REQUIRE(site.workspace.run(site.workspace.head() + site.file()).status == 0);
    const Plan done = site.plan(site.file());
    CHECK(done.status == 0);
    CHECK(done.deployment(0).at("action") == "none");
    CHECK(site.plan(site.file(), {"--force"}).status == 10);
    site.workspace.issue("shop");
    const Plan renewed = site.plan(site.file());
    CHECK(renewed.status == 10);
    CHECK(renewed.deployment(0).at("reason") == "differs");
    CHECK(renewed.deployment(0).at("certificates").at(0).at("live") ==
          done.deployment(0).at("certificates").at(0).at("live"));
    const Plan table = site.plan(site.file(), {});
    CHECK(says(table.output, "1 of 1 would be changed"));
    CHECK(says(table.output, "differs"));
}

TEST_CASE("a plan looks at everything, whatever it needs") {
    Site site;
    const Plan plan =
        site.plan(std::string(deployment("first", "test-segv")) +
                  std::string(deployment("last", "test-works").value("needs", "[\"first\"]")));
    CHECK(plan.status == 10);
    CHECK(plan.deployment(0).at("action") == "change");
    CHECK(plan.deployment(1).at("action") == "change");
    CHECK(says(plan.output, "the plugin cannot inspect"));
}

TEST_CASE("what cannot be looked at makes a plan fail") {
    Site site;
    const Plan plan = site.plan(deployment("web", "test-dies-in-inspect"));
    CAPTURE(plan.errors);
    CHECK(plan.status == 1);
    CHECK(plan.deployment(0).at("action") == "unknown");
}

TEST_CASE("a plan writes nothing anywhere") {
    Site site;
    const fs::path folder = site.workspace.folder().path();
    SUBCASE("before there is a journal") {
        site.plan(site.file());  // writes the pipeline
        const auto before = all_below(folder);
        CHECK(site.plan(site.file()).status == 10);
        CHECK(all_below(folder).size() == before.size());
        CHECK_FALSE(fs::exists(folder / "state/certcast"));
    }
    SUBCASE("beside a journal") {
        REQUIRE(site.workspace.run(site.workspace.head() + site.file()).status == 0);
        const fs::path state = folder / "state/certcast";
        const auto before = all_below(state);
        const auto deployed = all_below(folder / "site");
        site.workspace.issue("shop");
        CHECK(site.plan(site.file()).status == 10);
        CHECK(all_below(state) == before);
        CHECK(all_below(folder / "site") == deployed);
    }
    SUBCASE("where a killed run has left something half-way, which it tells") {
        const Announcements reached(folder / "site/moment");
        const std::string steps = deployment("site", "test-steps")
                                      .table("deploy.site.config")
                                      .text("folder", (folder / "site").string())
                                      .text("text", "newer")
                                      .value("stop_at", "[\"after write 1\"]");
        const auto host = site.workspace.start_run(site.workspace.head() + steps);
        reached.next();
        host->signal(SIGKILL);
        host->wait();
        wait_for_no_leftovers();
        REQUIRE(fs::exists(folder / "state/certcast/journal.db-wal"));
        const auto before = all_below(folder / "state/certcast");
        const auto half_way = all_below(folder / "site");
        const Plan plan = site.plan(steps);
        CAPTURE(plan.errors);
        CHECK(plan.status == 10);
        CHECK(plan.deployment(0).at("reason") == "an earlier run has left it half-way");
        CHECK(all_below(folder / "state/certcast") == before);
        CHECK(all_below(folder / "site") == half_way);
    }
    SUBCASE("even by a plugin that would, where it may when it deploys") {
        const std::string writer =
            deployment("web", "test-writes-in-inspect")
                .value("config", "{ announce = \"" + (folder / "site/written").string() + "\" }");
        CHECK(site.plan(writer).deployment(0).at("reason") == "absent");
        CHECK_FALSE(fs::exists(folder / "site/written"));
        REQUIRE(site.workspace.run(site.workspace.head() + writer).status == 0);
        CHECK(fs::exists(folder / "site/written"));
    }
}

TEST_CASE("a plan is made while a run goes on") {
    Site site;
    const Announcements announcements(site.workspace / "announce");
    const auto host = site.workspace.start_run(
        site.workspace.head() +
        std::string(deployment("web", "test-works")
                        .value("config", "{ milliseconds = 60000, announce = \"" +
                                             announcements.path().string() + "\" }")));
    announcements.next();
    CHECK(site.plan(site.file()).status == 10);
    CHECK_FALSE(Watch({host->pid()}).all_end_within(0ms));
}

TEST_CASE("a plan is made on a read-only file system") {
    if (geteuid() != 0) {
        MESSAGE("skipped: making one read-only takes root");
        return;
    }
    Site site;
    REQUIRE(site.workspace.run(site.workspace.head() + site.file()).status == 0);
    REQUIRE(site.plan(site.file()).status == 0);
    site.workspace.launcher() = {
        "unshare", "--mount", "sh", "-c", "mount -o remount,bind,ro / && exec \"$@\"", "sh"};
    const auto process =
        site.workspace.start({"plan", (site.workspace / "pipeline.toml").string()});
    CHECK(process->wait().status == 0);
    CAPTURE(process->errors());
    CHECK(says(process->output(), "nothing of 1 would be changed"));
    CHECK_FALSE(says(process->errors(), "Read-only"));
}

TEST_CASE("what is in force is explained, each with the place where it is said") {
    const Workspace workspace;
    workspace.issue("shop");
    workspace.folder().write("pipeline.toml", workspace.head() +
                                                  "plugin.file.sandbox = \"required\"\n"
                                                  "[vars]\n"
                                                  "folder = \"/srv\"\n"
                                                  "[deploy.fleet]\n"
                                                  "plugin = \"file\"\n"
                                                  "certificate = \"shop\"\n"
                                                  "targets = [\"a\", \"b\"]\n"
                                                  "timeout = \"7s\"\n"
                                                  "waves = [1]\n"
                                                  "probe = false\n"
                                                  "[deploy.fleet.config]\n"
                                                  "key = \"${vars.folder}/${target.name}.key\"\n");
    const std::string file = (workspace / "pipeline.toml").string();
    const json::value all = workspace.say({"explain", file, "fleet/b", "--json"}).parsed();
    const auto find = [&](std::string_view key) -> std::pair<std::string, std::string> {
        for (const json::value& one : all.as_array()) {
            if (std::string_view(one.at("key").as_string()) == key) {
                return {one.at("value").as_string().c_str(), one.at("said_by").as_string().c_str()};
            }
        }
        return {};
    };
    const std::string content = read_text(file);
    /// FILE:LINE:, of the first line with that in it.
    const auto line_of = [&](std::string_view text) {
        const auto end = content.begin() + static_cast<std::ptrdiff_t>(content.find(text));
        return file + ":" + std::to_string(std::count(content.begin(), end, '\n') + 1) + ":";
    };
    CHECK(find("config.key").first == "/srv/b.key");
    CHECK(find("config.key").second.starts_with(line_of("key = \"${vars")));
    CHECK(find("config.key_mode") ==
          std::pair<std::string, std::string>("0600", "the plugin's default"));
    CHECK(find("timeouts.deploy").first == "7s");
    CHECK(find("timeouts.deploy").second.starts_with(line_of("timeout = \"7s\"")));
    CHECK(find("retry.attempts").first == "1");
    CHECK(find("retry.attempts").second.starts_with(line_of("attempts = 1")));
    CHECK(find("retry.backoff").second == "certcast's default");
    CHECK(find("sandbox").first == "required");
    CHECK(find("sandbox").second.starts_with(line_of("plugin.file.sandbox")));
    CHECK(find("waves").first == "[\"1\", \"100%\"]");
    CHECK(find("deploys to").first == "file|file=/srv/b.key");
    CHECK(says(workspace.say({"explain", file, "fleet/b"}).output, "config.key_mode  "));
    CHECK(says(workspace.say({"explain", file, "fleet/c"}).errors,
               "no deployment \"fleet/c\"; did you mean"));
}
