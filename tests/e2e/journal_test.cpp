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

struct Said {
    int status = 0;
    std::string output;
    std::string errors;

    json::value parsed() const { return json::parse(output); }
};

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
    Said say(std::vector<std::string> arguments) const {
        const auto process = workspace.start(std::move(arguments));
        const int status = process->wait().status;
        return {status, process->output(), process->errors()};
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

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

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
    CHECK(pair.say({"history", "--json"}).parsed().as_array().size() == 1);
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
    const Said wrong = pair.say({"run", pair.file(), "--tag", "euu"});
    CHECK(wrong.status == 2);
    CHECK(says(wrong.errors, "--tag \"euu\": no deployment has it; did you mean \"eu\"?"));
    CHECK(pair.say({"run", pair.file(), "--tag", "eu", "--only", "bad"}).status == 2);
}

TEST_CASE("what was is told later: runs, their logs, what should be where and what is") {
    const Pair pair;
    CHECK(says(pair.say({"history"}).errors, "there is no journal yet"));
    REQUIRE(pair.run().status == 1);
    const json::value runs = pair.say({"history", pair.file(), "--json"}).parsed();
    REQUIRE(runs.as_array().size() == 1);
    CHECK(runs.at(0).at("status") == "failed");
    CHECK(runs.at(0).at("succeeded") == 1);
    const std::string name = runs.at(0).at("run").as_string().c_str();

    const Said shown = pair.say({"show", name.substr(0, 12)});
    CHECK(says(shown.output, "good (file): changed"));
    CHECK(says(shown.output, "bad (file): failed"));
    CHECK(says(shown.output, "cannot open the folder"));
    CHECK_FALSE(says(pair.say({"show", "last", "bad"}).output, "good (file)"));
    CHECK(pair.say({"show", "last", "nobody"}).status == 2);
    CHECK(pair.say({"show", "1999"}).status == 2);

    const Said status = pair.say({"status", pair.file(), "--json"});
    CHECK(status.status == 1);
    const json::value all = status.parsed();
    CHECK(all.at(0).at("state") == "as wanted");
    CHECK(all.at(0).at("observed") == all.at(0).at("wanted"));
    CHECK(all.at(1).at("state") == "unknown");
    pair.make_missing();
    REQUIRE(pair.run({"--resume"}).status == 0);
    CHECK(pair.say({"status", pair.file()}).status == 0);
    pair.workspace.issue("shop");
    CHECK(pair.say({"status", pair.file(), "--json"}).parsed().at(0).at("state") == "differs");

    CHECK(pair.say({"history", "--prune"}).status == 2);
    CHECK(says(pair.say({"history", "--prune", "--keep", "1"}).output, "forgot 1 run"));
    CHECK(pair.say({"history", "--json"}).parsed().as_array().size() == 1);
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
    CHECK(pair.say({"history"}).status == 3);
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
