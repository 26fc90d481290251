#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <string>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

/// An entry whose targets are found by its plugin, and another one beside it.
class Fleet {
public:
    Fleet() { fs::create_directory(workspace / "files"); }

    /// `config`: lines of the fleet's. `keys`: of its entry.
    std::string pipeline(const std::string& config, const std::string& keys = {}) const {
        return workspace.head() + entry("fleet", "targets = { discover = true }\n" + keys) +
               config + entry("other", "") + "names = []\n" + "how = \"fails\"\n";
    }
    Run run(const std::string& config, const std::string& keys = {}) const {
        return workspace.run(pipeline(config, keys));
    }
    Said say(const char* command, const std::string& config) const {
        const fs::path file = workspace.folder().write("pipeline.toml", pipeline(config));
        return workspace.say({command, file.string()});
    }
    std::string file(const std::string& name) const {
        return read_text(workspace / ("files/" + name));
    }

    Workspace workspace;

private:
    std::string entry(const std::string& name, const std::string& keys) const {
        const std::string file = keys.empty() ? "other" : "${target.name}";
        return std::string(deployment(name, "test-discovers")) + keys + "[deploy." + name +
               ".config]\nfile = \"" + (workspace / ("files/" + file)).string() + "\"\n";
    }
};

}  // namespace

TEST_CASE("each target that a plugin finds is deployed to, with an outcome of its own") {
    const Fleet fleet;
    const Run run = fleet.run("names = [\"one\", \"two\", \"three\", \"one\"]\nbroken = \"two\"\n");
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(run.text("fleet/one", "status") == "changed");
    CHECK(run.text("fleet/two", "status") == "failed");
    CHECK(run.text("fleet/three", "status") == "changed");
    CHECK(run.text("other", "status") == "changed");
    CHECK(fleet.file("three") == "three");
}

TEST_CASE("an entry whose targets are not found fails alone") {
    const Fleet fleet;
    std::string config = "names = [\"one\"]\n";
    std::string keys;
    const char* why = "";
    SUBCASE("the plugin fails") {
        config += "how = \"fails\"\n";
        why = "nobody knows";
    }
    SUBCASE("it crashes") {
        config += "how = \"crashes\"\n";
        why = "status 7";
    }
    SUBCASE("it hangs") {
        config += "how = \"hangs\"\n";
        keys = "timeouts = { discover = \"300ms\" }\n";
        why = "not done after 0.3 s";
    }
    SUBCASE("it finds more and more") {
        config += "how = \"endlessly\"\n";
        why = "more than are kept";
    }
    SUBCASE("it finds nothing") {
        config = "names = []\n";
        why = "there is none";
    }
    SUBCASE("what it finds is no name") {
        SUBCASE("but a way out of a folder") {
            config = "names = [\"one\", \"..\"]\n";
        }
        SUBCASE("but a command") {
            config = "names = [\"one\", \"a;reboot\"]\n";
        }
        SUBCASE("but an option") {
            config = "names = [\"one\", \"--all\"]\n";
        }
        why = "is no name for a target";
    }
    const Run run = fleet.run(config, keys);
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(run.text("fleet", "status") == "failed");
    CHECK(says(run.message("fleet"), "its targets were not found: "));
    CHECK(says(run.message("fleet"), why));
    CHECK(run.text("other", "status") == "changed");
    CHECK(fleet.file("one").empty());
}

TEST_CASE("a target that cannot be one fails alone, too") {
    const Fleet fleet;
    const auto run = [&](const std::string& names, const std::string& file) {
        return fleet.workspace.run(
            with(fleet.pipeline("names = " + names + "\n"), "files/${target.name}", file));
    };
    const Run twice = run("[\"one\", \"two\"]", "files/same");
    CAPTURE(twice.output);
    CHECK(twice.text("fleet/one", "status") == "changed");
    CHECK(twice.text("fleet/two", "status") == "failed");
    CHECK(says(twice.message("fleet/two"), "deploy to the same place"));
    CHECK(twice.text("other", "status") == "changed");
    const Run taken =
        run("[\"one\", \"two\"]", "files/${target.name}\"\nmust_be = \"${target.name}");
    CAPTURE(taken.output);
    CHECK(taken.text("fleet/one", "status") == "changed");
    CHECK(taken.text("fleet/two", "status") == "failed");
    CHECK(says(taken.message("fleet/two"), "must_be"));
}

TEST_CASE("what the plugin says against a found target is against that alone") {
    const Fleet fleet;
    const Run run = fleet.run("names = [\"one\", \"two\"]\ninvalid = \"two\"\n");
    CAPTURE(run.output);
    CHECK(run.text("fleet/one", "status") == "changed");
    CHECK(run.text("fleet/two", "status") == "failed");
    CHECK(says(run.message("fleet/two"), "this one cannot be right"));
    CHECK(run.text("other", "status") == "changed");
}

TEST_CASE("secrets are there for who looks, and for who deploys") {
    Fleet fleet;
    fleet.workspace.environment()["FLEET_TOKEN"] = "right";
    const Run run = fleet.run("names = [\"one\"]\ntoken = { env = \"FLEET_TOKEN\" }\n");
    CAPTURE(run.output);
    CHECK(run.text("fleet/one", "status") == "changed");
}

TEST_CASE("who is chosen does not wait for the targets of others") {
    const Fleet fleet;
    const Run one =
        fleet.workspace.run(fleet.pipeline("names = []\nhow = \"hangs\"\n"), {"--only", "other"});
    CAPTURE(one.output + one.errors);
    CHECK(one.status == 0);
    CHECK(one.took < 15s);  // half of what it would hang
    // A target of those that are not found is one of them, whatever its name.
    const fs::path failing = fleet.workspace.folder().write(
        "failing.toml", fleet.pipeline("names = []\nhow = \"fails\"\n"));
    const Said both = fleet.workspace.say(
        {"run", failing.string(), "--output", "plain", "--only", "other", "--only", "fleet/one"});
    CAPTURE(both.output + both.errors);
    CHECK(both.status == 1);
    CHECK(says(both.output + both.errors, "nobody knows"));
    CHECK(says(both.output + both.errors, "other: changed"));
}

TEST_CASE("check looks for no targets, plan and status do") {
    const Fleet fleet;
    const std::string failing = "names = []\nhow = \"fails\"\n";
    const Said checked = fleet.say("check", failing);
    CAPTURE(checked.errors);
    CHECK(checked.status == 0);
    CHECK(says(checked.output, "1 deployment and 1 entry whose targets are still to be found"));

    const Said planned = fleet.say("plan", "names = [\"one\", \"two\"]\n");
    CAPTURE(planned.output);
    CHECK(planned.status == 10);
    CHECK(says(planned.output, "fleet/two"));
    CHECK(fleet.say("plan", failing).status == 1);
    CHECK(fleet.file("two").empty());

    REQUIRE(fleet.run("names = [\"one\"]\n").status == 0);
    const Said known = fleet.say("status", "names = [\"one\"]\n");
    CAPTURE(known.output);
    CHECK(says(known.output, "fleet/one"));
    const Said unknown = fleet.say("status", failing);
    CAPTURE(unknown.errors);
    CHECK(says(unknown.errors, "fleet: its targets were not found: "));
}

TEST_CASE("what is half-way is nobody's only when it is known that its target is gone") {
    const Fleet fleet;
    // Killed while it deploys, so that what it has begun stands.
    const auto run = fleet.workspace.start_run(fleet.pipeline(
        "names = [\"one\"]\nstays = \"" + (fleet.workspace / "stays").string() + "\"\n"));
    wait_until("it deploys", [&] { return fs::exists(fleet.workspace / "stays"); });
    run->signal(SIGKILL);
    run->wait();
    const Said unknown = fleet.say("status", "names = []\nhow = \"fails\"\n");
    CAPTURE(unknown.output);
    CHECK_FALSE(says(unknown.output, "unclaimed"));
    const Said gone = fleet.say("status", "names = [\"two\"]\n");
    CAPTURE(gone.output);
    CHECK(says(gone.output, "unclaimed"));
}

TEST_CASE("who needs a target waits for it, whenever that is found") {
    const Fleet fleet;
    const std::string needing =
        "[deploy.last]\nplugin = \"test-discovers\"\ncertificate = \"shop\"\n"
        "probe = false\nneeds = [\"fleet/two\"]\n[deploy.last.config]\n"
        "names = []\nfile = \"" +
        (fleet.workspace / "files/last").string() + "\"\n";
    const auto run = [&](const std::string& config) {
        return fleet.workspace.run(fleet.pipeline(config) + needing);
    };
    const Run broken = run("names = [\"one\", \"two\"]\nbroken = \"two\"\n");
    CAPTURE(broken.output);
    CHECK(broken.text("last", "status") == "skipped");
    CHECK(run("names = [\"one\", \"two\"]\nbroken = \"one\"\n").text("last", "status") ==
          "changed");
    // Where nobody knows the targets, what needs one is not done.
    CHECK(run("names = []\nhow = \"fails\"\n").text("last", "status") == "skipped");
    // One that is found may need its like, as far as there is one.
    const std::string alike =
        with(with(needing, "needs = [\"fleet/two\"]",
                  "targets = { discover = true }\nneeds = [\"fleet/${target.name}\"]"),
             "names = []", "names = [\"two\", \"four\"]");
    const Run paired = fleet.workspace.run(fleet.pipeline("names = [\"one\", \"two\"]\n") +
                                           with(alike, "files/last", "files/last-${target.name}"));
    CAPTURE(paired.output + paired.errors);
    CHECK(paired.text("last/two", "status") == "changed");
    CHECK(paired.text("last/four", "status") == "failed");
    // Nor is it done where what it needs is not among them.
    const Run missing = run("names = [\"one\"]\n");
    CAPTURE(missing.output);
    CHECK(missing.text("fleet/one", "status") == "changed");
    CHECK(missing.text("last", "status") == "failed");
    CHECK(says(missing.message("last"), "\"fleet/two\" is not among the targets that were found"));
}
