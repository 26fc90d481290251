#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Two deployments of files, of which one has no folder to write to until it is made.
class Pair {
public:
    Pair() {
        workspace.issue("shop");
        fs::create_directory(workspace / "there");
    }

    void make_missing() const { fs::create_directory(workspace / "missing"); }
    std::string pipeline(const std::string& more = {}) const {
        return workspace.head() + one("good", "there") + one("bad", "missing") + more;
    }
    Run run(std::vector<std::string> arguments = {}) const {
        return workspace.run(pipeline(), std::move(arguments));
    }
    std::string file() const { return (workspace / "pipeline.toml").string(); }
    fs::path journal() const { return workspace / "state/certcast/journal.db"; }
    bool wrote(const std::string& folder) const {
        return fs::exists(workspace / (folder + "/shop.crt"));
    }

    Workspace workspace;

private:
    std::string one(const std::string& name, const std::string& folder) const {
        return deployment(name, "file")
            .value("tags", Toml::list({name == "good" ? "eu" : "us"}))
            .table("deploy." + name + ".config")
            .text("fullchain", (workspace / (folder + "/shop.crt")).string())
            .text("key", (workspace / (folder + "/shop.key")).string());
    }
};

/// A deployment that a killed host has left half-way.
class HalfWay {
public:
    HalfWay() {
        fs::create_directory(workspace / "site");
        REQUIRE(workspace.run(pipeline("former")).status == 0);
        const Announcements reached(workspace / "site/moment");
        const auto host = workspace.start_run(pipeline("newer", "x", {"after write 2"}));
        reached.next();
        host->signal(SIGKILL);
        host->wait();
        wait_for_no_leftovers();
        fs::remove(reached.path());
    }

    std::string pipeline(const std::string& text, const std::string& also = "x",
                         const std::vector<std::string>& stops = {},
                         const std::string& name = "site") const {
        Toml site = deployment(name, "test-steps");
        site.table("deploy." + name + ".config")
            .text("folder", (workspace / "site").string())
            .text("also", (workspace / also).string())
            .text("text", text)
            .value("stop_at", Toml::list(stops));
        return workspace.head() + std::string(site);
    }
    Run run(const std::string& text, std::vector<std::string> arguments = {}) const {
        return workspace.run(pipeline(text), std::move(arguments));
    }
    std::string file() const { return (workspace / "pipeline.toml").string(); }
    std::string content(const std::string& name) const {
        return read_text(workspace / ("site/" + name));
    }

    Workspace workspace;
};

}  // namespace

TEST_CASE("a run takes up what has not succeeded, and only that") {
    const Pair pair;
    REQUIRE(pair.run().status == 1);
    pair.make_missing();
    const Run again = pair.run({"--resume"});
    CAPTURE(again.output);
    CHECK(again.status == 0);
    CHECK(again.text("bad", "status") == "changed");
    CHECK(again.text("good", "status") == "unchanged");
    CHECK(again.number("good", "attempts") == 0);
    CHECK(again.text("good", "reason").starts_with("done in run "));
    SUBCASE("nothing is left") {
        CHECK(pair.run({"--resume"}).number("bad", "attempts") == 0);
    }
    SUBCASE("what the pipeline says otherwise now is not what succeeded") {
        const Run edited = pair.workspace.run(pair.pipeline("mode = \"0640\"\n"), {"--resume"});
        CHECK(edited.number("good", "attempts") == 0);
        CHECK(edited.number("bad", "attempts") == 1);
    }
    SUBCASE("a renewed certificate is not what succeeded") {
        pair.workspace.issue("shop");
        const Run renewed = pair.run({"--resume"});
        CHECK(renewed.text("good", "status") == "changed");
        CHECK(renewed.text("bad", "status") == "changed");
    }
}

TEST_CASE("what a killed run had under way is taken up, too") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const std::string pipeline =
        workspace.head() +
        std::string(deployment("web", "test-works")
                        .value("config", "{ milliseconds = 60000, announce = \"" +
                                             announcements.path().string() + "\" }"));
    const auto host = workspace.start_run(pipeline);
    announcements.next();
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
    const Run again = workspace.run(workspace.head() + std::string(deployment("web", "test-works")),
                                    {"--resume"});
    CHECK(again.text("web", "status") == "changed");
    const auto history = workspace.start({"history", "--json"});
    history->wait();
    const json::value runs = json::parse(history->output());
    CHECK(runs.at(0).at("status") == "ok");
    CHECK(runs.at(1).at("status") == "unfinished");
    const auto shown =
        workspace.start({"show", runs.at(1).at("run").as_string().c_str(), "--json"});
    shown->wait();
    CHECK(json::parse(shown->output()).at("deployments").at(0).at("status") == "unknown");
}

TEST_CASE("a dry run changes nothing and says what would be changed, and why") {
    const Pair pair;
    pair.make_missing();
    const Run dry = pair.run({"--dry-run"});
    CAPTURE(dry.output);
    CHECK(dry.status == 0);
    CHECK(dry.text("good", "status") == "deferred");
    CHECK(dry.text("good", "reason") == "would change: absent");
    CHECK_FALSE(pair.wrote("there"));
    REQUIRE(pair.run().status == 0);
    CHECK(pair.run({"--dry-run"}).text("good", "status") == "unchanged");
    CHECK(pair.run({"--dry-run", "--force"}).text("good", "reason") == "would change: forced");
    pair.workspace.issue("shop");
    CHECK(pair.run({"--dry-run"}).text("good", "reason") == "would change: differs");
    CHECK(pair.workspace.say({"history", "--json"}).parsed().as_array().size() == 1);
}

TEST_CASE("only so many deployments are changed, and the rest is deferred") {
    const Pair pair;
    pair.make_missing();
    const Run first = pair.run({"--max-changes", "1"});
    CAPTURE(first.output);
    CHECK(first.status == 0);
    CHECK(pair.wrote("there") != pair.wrote("missing"));
    const Run second = pair.run({"--max-changes", "1"});
    CHECK(second.status == 0);
    CHECK((pair.wrote("there") && pair.wrote("missing")));
    CHECK(pair.run({"--max-changes", "0"}).text("good", "status") == "unchanged");
}

TEST_CASE("deployments are chosen by their tags") {
    const Pair pair;
    const Run run = pair.run({"--tag", "eu"});
    CHECK(run.status == 0);
    CHECK(run.report.at("deployments").as_array().size() == 1);
    CHECK(pair.wrote("there"));
    const Said wrong = pair.workspace.say({"run", pair.file(), "--tag", "euu"});
    CHECK(wrong.status == 2);
    CHECK(says(wrong.errors, "--tag \"euu\": no deployment has it; did you mean \"eu\"?"));
    CHECK(pair.workspace.say({"run", pair.file(), "--tag", "eu", "--only", "bad"}).status == 2);
}

TEST_CASE("what was is told later: runs, their logs, what should be where and what is") {
    const Pair pair;
    CHECK(says(pair.workspace.say({"history"}).errors, "there is no journal yet"));
    REQUIRE(pair.run().status == 1);
    const json::value runs = pair.workspace.say({"history", pair.file(), "--json"}).parsed();
    REQUIRE(runs.as_array().size() == 1);
    CHECK(runs.at(0).at("status") == "failed");
    CHECK(runs.at(0).at("succeeded") == 1);
    const std::string name = runs.at(0).at("run").as_string().c_str();

    const Said shown = pair.workspace.say({"show", name.substr(0, 12)});
    CHECK(says(shown.output, "good (file): changed"));
    CHECK(says(shown.output, "bad (file): failed"));
    CHECK(says(shown.output, "cannot open the folder"));
    CHECK_FALSE(says(pair.workspace.say({"show", "last", "bad"}).output, "good (file)"));
    CHECK(pair.workspace.say({"show", "last", "nobody"}).status == 2);
    CHECK(pair.workspace.say({"show", "1999"}).status == 2);

    const Said status = pair.workspace.say({"status", pair.file(), "--json"});
    CHECK(status.status == 1);
    const json::value all = status.parsed();
    CHECK(all.at(0).at("state") == "as wanted");
    CHECK(all.at(0).at("observed") == all.at(0).at("wanted"));
    CHECK(all.at(1).at("state") == "unknown");
    pair.make_missing();
    REQUIRE(pair.run({"--resume"}).status == 0);
    CHECK(pair.workspace.say({"status", pair.file()}).status == 0);
    pair.workspace.issue("shop");
    CHECK(pair.workspace.say({"status", pair.file(), "--json"}).parsed().at(0).at("state") ==
          "differs");

    CHECK(pair.workspace.say({"history", "--prune"}).status == 2);
    CHECK(says(pair.workspace.say({"history", "--prune", "--keep", "1"}).output, "forgot 1 run"));
    CHECK(pair.workspace.say({"history", "--json"}).parsed().as_array().size() == 1);
}

TEST_CASE("runs that begin at one instant share a journal that was not there") {
    const Workspace workspace;
    const std::string pipeline = workspace.head() + std::string(deployment("web", "test-works"));
    std::vector<std::unique_ptr<Process>> hosts;
    for (int i = 0; i < 24; ++i)
        hosts.push_back(workspace.start_run(pipeline, {}, "pipeline" + std::to_string(i)));
    for (const auto& host : hosts) {
        const int status = host->wait().status;
        CAPTURE(host->errors());
        CHECK(status == 0);
    }
    const auto history = workspace.start({"history", "--json", "--most", "100"});
    CHECK(history->wait().status == 0);
    CHECK(json::parse(history->output()).as_array().size() == hosts.size());
}

TEST_CASE("where the journal cannot be used nothing is touched, and a run says what to do") {
    const Pair pair;
    pair.make_missing();
    fs::create_directories(pair.journal().parent_path());
    fs::permissions(pair.journal().parent_path(), fs::perms::owner_all);
    std::ofstream(pair.journal()) << std::string(5'000, 'x');
    const Run run = pair.run();
    CHECK(run.status == 3);
    CHECK(says(run.errors, "nothing was touched"));
    CHECK(says(run.errors, pair.journal().string()));
    CHECK_FALSE(pair.wrote("there"));
    CHECK(pair.workspace.say({"history"}).status == 3);
    CHECK(pair.run({"--no-journal"}).status == 0);
    CHECK(pair.wrote("there"));
}

TEST_CASE("a step that a full disk does not take is not gone beyond") {
    if (geteuid() != 0) {
        MESSAGE("skipped: a small file system takes root");
        return;
    }
    Workspace workspace;
    const fs::path site = workspace / "site";
    fs::create_directory(site);
    const auto pipeline = [&](const std::string& text) {
        return workspace.head() + std::string(deployment("site", "test-steps")
                                                  .table("deploy.site.config")
                                                  .text("folder", site.string())
                                                  .text("text", text));
    };
    const std::string large(700'000, 'x');  // which the next one would have to remember
    REQUIRE(workspace.run(pipeline(large)).status == 0);
    const std::string state = (workspace / "state").string();
    workspace.launcher() = {
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=600k,mode=700 none \"" + state + "\" && exec \"$@\"",
        "sh"};
    const Run run = workspace.run(pipeline("small"));
    CAPTURE(run.output);
    CHECK(run.text("site", "status") == "failed");
    CHECK(says(run.text("site", "warnings"), "the disk is full"));
    for (const char* name : {"one", "two", "three", "served"})
        CHECK(read_text(site / name) == large);
}

TEST_CASE("a run without the journal keeps away from what is half-way") {
    const HalfWay site;
    const Run away = site.run("newer", {"--no-journal"});
    CHECK(away.status == 1);
    CHECK(says(away.message("site"), "run it without --no-journal"));
    CHECK(site.content("three") == "former");
    const Run again = site.run("newer");
    CHECK(again.text("site", "status") == "changed");
    CHECK(says(json::serialize(again["site"].at("warnings")), "was to be undone first"));
    CHECK(site.run("newest", {"--no-journal"}).text("site", "status") == "changed");
}

TEST_CASE("undoing what is half-way is a change like any other") {
    const HalfWay site;
    const Run none = site.run("newer", {"--max-changes", "0"});
    CHECK(none.text("site", "reason") == "would change: an earlier run has left it half-way");
    CHECK(site.content("one") == "newer");
    CHECK(site.run("newer", {"--max-changes", "1"}).text("site", "status") == "changed");
}

TEST_CASE("what is half-way at a place that now goes with others is not deployed over") {
    const HalfWay site;
    const Run other = site.workspace.run(site.pipeline("newer", "y"));
    CAPTURE(other.errors);
    CHECK(other.status == 1);
    CHECK(says(other.message("site"), "run that pipeline as it was then"));
    CHECK(says(other.message("site"), "`certcast forget site`"));
    CHECK(other.number("site", "attempts") == 1);
    CHECK(says(other.errors + other.output, "half-way since"));
    const json::value status = site.workspace.say({"status", site.file(), "--json"}).parsed();
    CHECK(status.at(1).at("state") == "unclaimed");

    SUBCASE("until the pipeline is as it was") {
        CHECK(site.run("newer").text("site", "status") == "changed");
        CHECK(site.workspace.run(site.pipeline("newer", "y")).status == 0);
    }
    SUBCASE("or it is forgotten") {
        CHECK(site.workspace.say({"forget", "nobody"}).status == 2);
        CHECK(site.workspace.say({"forget", "site", "--pipeline", "/elsewhere.toml"}).status == 2);
        const Said forgotten = site.workspace.say({"forget", "site", "--pipeline", site.file()});
        CHECK(forgotten.status == 0);
        CHECK(says(forgotten.output, "half-way since"));
        CHECK(site.content("one") == "newer");
        CHECK(site.workspace.run(site.pipeline("newer", "y")).text("site", "status") == "changed");
        CHECK(site.workspace.say({"forget", "site"}).status == 2);
    }
}

TEST_CASE("what a run is at now is neither forgotten nor taken for half-way") {
    const HalfWay site;
    const Announcements reached(site.workspace / "site/moment");
    const auto host = site.workspace.start_run(site.pipeline("newer", "x", {"after write 1"}));
    reached.next();
    const Said plan = site.workspace.say({"plan", site.file(), "--json"});
    CHECK(plan.parsed().at("deployments").at(0).at("reason") == "another run is at it");
    CHECK(site.workspace.say({"forget", "site"}).status == 4);
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
    CHECK(site.workspace.say({"plan", site.file(), "--json"})
              .parsed()
              .at("deployments")
              .at(0)
              .at("reason") == "an earlier run has left it half-way");
}

TEST_CASE("a pipeline is known by its file, whichever link leads there") {
    const Pair pair;
    REQUIRE(pair.run().status == 1);
    const fs::path link = pair.workspace / "link.toml";
    fs::create_symlink(pair.file(), link);
    CHECK(pair.workspace.say({"history", link.string(), "--json"}).parsed().as_array().size() == 1);
    const json::value status = pair.workspace.say({"status", link.string(), "--json"}).parsed();
    CHECK(status.at(0).at("state") == "as wanted");
}
