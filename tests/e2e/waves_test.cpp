#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

constexpr int all = 6;

/// Six sites with the text "former", to be given another one wave by wave.
class Sites {
public:
    Sites() {
        for (int i = 1; i <= all; ++i) fs::create_directory(workspace / site(i));
        REQUIRE(workspace.run(pipeline("former", "")).status == 0);
    }

    static std::string site(int i) { return "site" + std::to_string(i); }
    static std::string name(int i) { return "fleet/" + site(i); }

    /// `dies`: whose workers die before it is proven; `stops`: which one stops, and where.
    std::string pipeline(const std::string& text, const std::string& keys,
                         const std::vector<int>& dies = {}, int stops = 0,
                         const std::string& moment = {}) const {
        std::string targets;
        for (int i = 1; i <= all; ++i) {
            const bool is_dying = std::find(dies.begin(), dies.end(), i) != dies.end();
            targets += "{ name = \"" + site(i) +
                       "\", die = " + (is_dying ? "[\"in verify\"]" : "[]") +
                       ", stop = " + (i == stops ? "[\"" + moment + "\"]" : "[]") + " },";
        }
        Toml fleet = deployment("fleet", "test-steps");
        fleet.value("targets", "[" + targets + "]");
        return workspace.head() + std::string(fleet) + keys +
               std::string(Toml()
                               .table("deploy.fleet.config")
                               .text("folder", (workspace / "${target.name}").string())
                               .text("text", text)
                               .text("die_at", "${target.die}")
                               .text("stop_at", "${target.stop}"));
    }
    Run run(const std::string& keys, const std::vector<int>& dies = {}) const {
        return workspace.run(pipeline("newer", keys, dies));
    }
    /// What is served there, by the first letters: "f" is the former, "n" a newer one.
    std::string served() const {
        std::string served;
        for (int i = 1; i <= all; ++i) {
            served += read_text(workspace / (site(i) + "/served")).substr(0, 1);
        }
        return served;
    }

    Workspace workspace;
};

}  // namespace

TEST_CASE("a bad deployment reaches its wave and no other") {
    const Sites sites;
    const Run run = sites.run("waves = [1, \"50%\", \"100%\"]\n", {2});
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(sites.served() == "nfnfff");
    CHECK(run.text(Sites::name(2), "status") == "crashed");
    CHECK(run.text(Sites::name(2), "rollback") == "done");
    CHECK(run.text(Sites::name(4), "status") == "skipped");
    CHECK(run.text(Sites::name(4), "reason") ==
          "1 of 6 deployments of fleet did not succeed, and max_failures is 0");
    CHECK(sites.run("waves = [1, \"50%\", \"100%\"]\n").status == 0);
    CHECK(sites.served() == "nnnnnn");
}

TEST_CASE("so many failures as are allowed stop nothing") {
    const Sites sites;
    const Run run = sites.run("waves = [1, \"100%\"]\nmax_failures = \"20%\"\n", {2});
    CHECK(run.status == 1);
    CHECK(sites.served() == "nfnnnn");
}

TEST_CASE("with on_abort = \"rollback\" all that was changed is put back") {
    const Sites sites;
    const std::string keys = "waves = [2, \"100%\"]\non_abort = \"rollback\"\n";
    const Run run = sites.run(keys, {5});
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(sites.served() == "ffffff");
    CHECK(run.text(Sites::name(1), "status") == "failed");
    CHECK(run.text(Sites::name(1), "reason") == "put back");
    CHECK(run.text(Sites::name(1), "rollback") == "done");
    CHECK(run.text(Sites::name(5), "status") == "crashed");
    SUBCASE("and where all succeed it is kept, with nothing left of what it replaced") {
        CHECK(sites.run(keys).status == 0);
        CHECK(sites.served() == "nnnnnn");
        CHECK_FALSE(fs::exists(sites.workspace / "site1/kept"));
        CHECK(sites.run(keys).text(Sites::name(1), "status") == "unchanged");
    }
}

TEST_CASE("a host that is killed while a fleet is not decided is made good by the next run") {
    for (const char* moment : {"before step 1", "within write 2", "in verify", "before settle"}) {
        SUBCASE(moment) {
            const Sites sites;
            const std::string keys = "waves = [3, \"100%\"]\non_abort = \"rollback\"\n";
            const Announcements reached(sites.workspace / "site6/moment");
            const auto host =
                sites.workspace.start_run(sites.pipeline("newer", keys, {}, 6, moment));
            reached.next();
            host->signal(SIGKILL);
            host->wait();
            wait_for_no_leftovers();
            const Run again = sites.run(keys);
            CAPTURE(again.output);
            CHECK(again.status == 0);
            CHECK(sites.served() == "nnnnnn");
            for (int i = 1; i <= all; ++i) {
                CHECK_FALSE(fs::exists(sites.workspace / (Sites::site(i) + "/kept")));
            }
            CHECK(sites.run(keys).text(Sites::name(1), "status") == "unchanged");
        }
    }
}

TEST_CASE("a deployment that needs most of a fleet is done when most of it is") {
    const Sites sites;
    const std::string keys = "max_failures = \"100%\"\n";
    const std::string after = deployment("after", "test-works")
                                  .value("needs", "[{ deploy = \"fleet\", at_least = \"80%\" }]");
    const Run most = sites.workspace.run(sites.pipeline("newer", keys, {2}) + after);
    CHECK(most.text("after", "status") == "changed");
    const Run few = sites.workspace.run(sites.pipeline("newest", keys, {2, 3}) + after);
    CHECK(few.text("after", "status") == "skipped");
    CHECK(few.text("after", "reason") ==
          "needs 80% of fleet, and too many of them did not succeed");
}

TEST_CASE("of those that share a reload only what breaks it fails") {
    const Workspace workspace;
    fs::create_directory(workspace / "conf");
    const std::string folder = (workspace / "conf").string();
    const auto run = [&](int count, const std::vector<int>& bad, const std::string& text = "new") {
        std::string targets;
        for (int i = 1; i <= count; ++i) {
            const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
            targets += "{ name = \"" + std::to_string(i) + "\", text = \"" +
                       (is_bad ? "bad" : text) + "\" },";
        }
        Toml all = deployment("conf", "test-shares-reload");
        all.value("targets", "[" + targets + "]")
            .table("deploy.conf.config")
            .text("file", folder + "/${target.name}.conf")
            .text("text", "${target.text}")
            .value("reload", Toml::list({"sh", "-c",
                                         "echo x >> " + (workspace / "reloads").string() +
                                             "; ! grep -q bad " + folder + "/*.conf"}));
        fs::remove(workspace / "reloads");
        return workspace.run(workspace.head() + std::string(all));
    };
    const auto content = [&](int i) {
        return read_text(workspace / ("conf/" + std::to_string(i) + ".conf"));
    };
    const auto reloads = [&] { return read_text(workspace / "reloads").size() / 2; };
    REQUIRE(run(8, {}).status == 0);
    CHECK(reloads() == 1);
    const auto check = [&](const std::vector<int>& bad) {
        const Run mixed = run(8, bad, "newer");
        CAPTURE(mixed.output);
        CHECK(mixed.status == 1);
        for (int i = 1; i <= 8; ++i) {
            CAPTURE(i);
            const bool is_bad = std::find(bad.begin(), bad.end(), i) != bad.end();
            const std::string name = "conf/" + std::to_string(i);
            CHECK(mixed.text(name, "status") == (is_bad ? "failed" : "changed"));
            CHECK(mixed.text(name, "rollback") == (is_bad ? "done" : "none"));
            CHECK(content(i) == (is_bad ? "new" : "newer"));
        }
    };
    SUBCASE("one") {
        check({6});
        // Each of three halvings fails and is undone, and then what is left of each goes on.
        CHECK(reloads() <= 12);
    }
    SUBCASE("several") {
        check({1, 2, 8});
    }
    SUBCASE("all of them") {
        check({1, 2, 3, 4, 5, 6, 7, 8});
    }
    SUBCASE("all but one") {
        check({1, 2, 3, 4, 6, 7, 8});
    }
}
