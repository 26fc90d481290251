#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

Run run_program(const Workspace& workspace, std::vector<std::string> arguments) {
    const auto process = workspace.start(std::move(arguments));
    return workspace.collect(*process, "no report");
}

std::string works(std::string_view name, const std::string& rest = {}) {
    return std::string(deployment(name, "test-works")) + rest;
}

bool says(const Run& run, std::string_view text) {
    return run.output.find(text) != std::string::npos || run.errors.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a mistake in the command line is exit status 2 and said in one place") {
    const Workspace workspace;
    const std::vector<std::vector<std::string>> all = {
        {},
        {"frobnicate"},
        {"run"},
        {"run", "does-not-exist.toml"},
        {"run", "--no-such-option", "x.toml"},
        {"check"},
        {"run", "x.toml", "--output", "yaml"},
        {"run", "x.toml", "--max-parallel", "many"},
        {"plugin", "show", "no-such-plugin"},
    };
    for (const auto& arguments : all) {
        std::string line = "certcast";
        for (const std::string& argument : arguments) line += " " + argument;
        SUBCASE(line.c_str()) {
            const Run run = run_program(workspace, arguments);
            CHECK(run.status == 2);
            CHECK_FALSE(run.errors.empty());
            CHECK(run.output.empty());
        }
    }
}

TEST_CASE("a misspelt command or option says what was probably meant, and where help is") {
    struct Row {
        std::vector<std::string> arguments;
        std::string says;
    };
    const Row all[] = {
        {{"runn", "x.toml"}, "there is no command \"runn\"; did you mean \"run\"?"},
        {{"plugin", "shwo", "nginx"}, "there is no command \"shwo\"; did you mean \"show\"?"},
        {{"frobnicate"}, "there is no command \"frobnicate\"; expected one of run, plan, check"},
        {{"plugin"}, "a command is missing\ncertcast plugin --help"},
        {{"run", "--forse", "x.toml"}, "no option \"--forse\"; did you mean \"--force\"?"},
        {{"run", "x.toml", "--reprot=y"}, "no option \"--reprot\"; did you mean \"--report\"?"},
        {{"run"}, "pipeline is required\ncertcast run --help"},
    };
    const Workspace workspace;
    for (const Row& row : all) {
        const Run run = run_program(workspace, row.arguments);
        CAPTURE(run.errors);
        CHECK(run.status == 2);
        CHECK(run.errors.find(row.says) != std::string::npos);
    }
}

TEST_CASE("help and version are no mistakes") {
    const Workspace workspace;
    CHECK(run_program(workspace, {"--help"}).status == 0);
    CHECK(says(run_program(workspace, {"--help"}), "run"));
    const Run version = run_program(workspace, {"--version"});
    CHECK(version.status == 0);
    CHECK(says(version, "0.1.0"));
}

TEST_CASE("check says where a pipeline is wrong, and what is known instead") {
    struct Wrong {
        std::string what;
        std::string pipeline;  ///< after the head
        std::string where;     ///< line and column, counted from the head's last line
        std::string says;
    };
    const Wrong all[] = {
        {"a misspelt key", works("web", "certificated = \"shop\"\n"), "5:1", "certificate"},
        {"a misspelt parameter", works("web", "config = { millisecond = 1 }\n"),
         "5:", "milliseconds"},
        {"a parameter of the wrong type", works("web", "config = { milliseconds = \"soon\" }\n"),
         "5:", "milliseconds"},
        {"an unknown plugin", "[deploy.web]\nplugin = \"test-wroks\"\ncertificate = \"shop\"\n",
         "2:", "test-works"},
        {"an unknown certificate",
         "[deploy.web]\nplugin = \"test-works\"\ncertificate = \"shpo\"\n", "3:", "shop"},
        {"a need of nobody", works("web", "needs = [\"wbe2\"]\n"), "5:", "wbe2"},
        {"a need of itself", works("web", "needs = [\"web\"]\n"), "", "web"},
        {"a duration without a unit", works("web", "timeout = \"20\"\n"), "5:", "20s"},
        {"a key that is not there yet", works("web", "window = \"night\"\n"), "5:1", "window"},
        {"an undefined variable", works("web", "config = { announce = \"${vars.nothing}\" }\n"),
         "5:", "nothing"},
        {"two mistakes", works("web", "certificated = \"shop\"\nretries = 3\n"), "6:1", "retr"},
    };
    const Workspace workspace;
    const std::string head = workspace.head();
    const auto head_lines = std::count(head.begin(), head.end(), '\n');
    for (const Wrong& one : all) {
        SUBCASE(one.what.c_str()) {
            const auto file = workspace.folder().write("wrong.toml", head + one.pipeline);
            for (const std::string command : {"check", "run"}) {
                CAPTURE(command);
                const Run run = run_program(workspace, {command, file.string()});
                CAPTURE(run.output);
                CAPTURE(run.errors);
                CHECK(run.status == 2);
                CHECK(says(run, one.says));
                if (!one.where.empty()) {
                    const auto colon = one.where.find(':');
                    const auto line = head_lines + std::stol(one.where.substr(0, colon));
                    CHECK(
                        says(run, "wrong.toml:" + std::to_string(line) + one.where.substr(colon)));
                }
            }
        }
    }
}

TEST_CASE("check of a file that is no TOML names line and column") {
    const Workspace workspace;
    const auto file = workspace.folder().write("wrong.toml", "format = 1\npipeline = \n");
    const Run run = run_program(workspace, {"check", file.string()});
    CAPTURE(run.errors);
    CHECK(run.status == 2);
    CHECK(says(run, "wrong.toml:2:"));
}

TEST_CASE("check of a good pipeline touches nothing and runs no secret command") {
    const Workspace workspace;
    const std::string touched = (workspace / "touched").string();
    const auto file = workspace.folder().write(
        "good.toml",
        workspace.head() + works("web", "config = { password = { command = [\"touch\", \"" +
                                            touched + "\"] } }\n"));
    const Run run = run_program(workspace, {"check", file.string()});
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK_FALSE(std::filesystem::exists(touched));
    CHECK(leftovers().empty());
}

TEST_CASE("check warns of what is not on this machine, and of a name that would be refused") {
    const Workspace workspace;
    const auto file = workspace.folder().write(
        "here.toml",
        workspace.head() +
            "[secret.one]\nfile = \"/no/such/secret\"\n"
            "[secret.two]\nenv = \"NO_SUCH_VARIABLE\"\n"
            "[deploy.key]\nplugin = \"file\"\ncertificate = \"shop\"\n"
            "probe = [{ address = \"127.0.0.1:1\", server_name = \"other.example\" }]\n"
            "[deploy.key.config]\nfullchain = \"" +
            (workspace / "crt").string() + "\"\nafter = [\"no-such-program\", \"reload\"]\n");
    const Run run = run_program(workspace, {"check", file.string()});
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK(says(run, "secret one: /no/such/secret cannot be read: No such file"));
    CHECK(says(run, "secret two: the variable NO_SUCH_VARIABLE is not set"));
    CHECK(says(run, "key: after: there is no program \"no-such-program\""));
    CHECK(says(run, "does not cover the server_name other.example"));
    CHECK(says(run, "key: the plugin file may write all of " + workspace.folder().path().string() +
                        ", where the pipeline is"));
}

TEST_CASE("how strict a sandbox is is said where it is not the usual") {
    const Workspace workspace;
    for (const std::string strictness : {"off", "required", "on"}) {
        CAPTURE(strictness);
        const Run run = workspace.run(workspace.head() + "plugin.test-works.sandbox = \"" +
                                      strictness + "\"\n" + works("web"));
        CAPTURE(run.output);
        CAPTURE(run.errors);
        CHECK(run.status == 0);
        CHECK(run.text("web", "sandbox") == strictness);
        CHECK(says(run, "without sandbox: web") == (strictness == "off"));
    }
    const auto file = workspace.folder().write(
        "wrong.toml", workspace.head() + "sandbox = \"off\"\n" + works("web"));
    const Run wrong = run_program(workspace, {"check", file.string()});
    CHECK(wrong.status == 2);
    CHECK(says(wrong, "sandbox"));
}

TEST_CASE("who does not read on holds up nothing but the end of the output") {
    const Workspace workspace;
    std::string pipeline = workspace.head();
    for (const char* name : {"one", "two"}) pipeline += deployment(name, "test-floods-stdout");
    const auto file = workspace.folder().write("much.toml", pipeline);
    const auto report = workspace / "report.json";
    const auto turn = workspace / "turn";
    REQUIRE(mkfifo(turn.c_str(), 0600) == 0);
    Process process({"/bin/sh", "-c",
                     CERTCAST_PROGRAM
                     " run \"$1\" --output json --report \"$2\" | { read -r it < \"$3\"; wc -c; }",
                     "sh", file.string(), report.string(), turn.string()},
                    workspace.environment());
    // A pipe holds 64 KiB of more than 200.
    wait_until(
        "the run is over", [&] { return std::filesystem::exists(report); }, 30s);
    std::ofstream(turn) << "now\n";
    CHECK(process.wait().status == 0);
    CHECK(std::stol(process.output()) > 200'000);
}

TEST_CASE("output that cannot be written is an error, and a closed pipe is none") {
    const Workspace workspace;
    const std::string certcast = CERTCAST_PROGRAM;
    Process full({"/bin/sh", "-c", "exec " + certcast + " plugins > /dev/full"},
                 workspace.environment());
    CHECK(full.wait().status == 3);
    CHECK(full.errors().find("standard output cannot be written") != std::string::npos);
    const auto file = workspace.folder().write("full.toml", workspace.head() + works("web"));
    Process run(
        {"/bin/sh", "-c", "exec " + certcast + " run \"$1\" > /dev/full", "sh", file.string()},
        workspace.environment());
    CHECK(run.wait().status == 3);
    CHECK(run.errors().find("No space left") != std::string::npos);
    Process closed({"/bin/sh", "-c", "(" + certcast + " plugins; echo $? >&2) | true"},
                   workspace.environment());
    closed.wait();
    CHECK(closed.errors() == "0\n");
}

TEST_CASE("a certificate that would not serve is refused before anything is touched") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    std::string says_why;
    SUBCASE("expired") {
        workspace.issue("shop", {.begins_in = -48h, .ends_in = -24h});
        says_why = "expired";
    }
    SUBCASE("with a key of another") {
        const Issued other = workspace.issue("other");
        workspace.folder().write("shop.key", pem(other.key));
        says_why = "match";
    }
    SUBCASE("missing") {
        std::filesystem::remove(workspace / "shop.pem");
        says_why = "shop.pem";
    }
    const std::string config =
        "config = { announce = \"" + announcements.path().string() + "\" }\n";
    const Run run = workspace.run(workspace.head() + works("web", config));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 2);
    CHECK(says(run, says_why));
    CHECK_THROWS(announcements.next(0ms));
}

TEST_CASE("only what --only selects is deployed") {
    const Workspace workspace;
    const Run run = workspace.run(workspace.head() + works("web1") + works("web2") + works("mail"),
                                  {"--only", "web*"});
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK(run.text("web1", "status") == "changed");
    CHECK(run.text("web2", "status") == "changed");
    CHECK_THROWS(run.text("mail", "status") == "changed");
}

TEST_CASE("a bad certificate of what --only leaves out does not stop the others") {
    const Workspace workspace;
    workspace.issue("mail", {.begins_in = -48h, .ends_in = -24h});
    const std::string pipeline =
        workspace.head({"shop", "mail"}) + works("web") +
        "[deploy.post]\nplugin = \"test-works\"\ncertificate = \"mail\"\nprobe = false\n";
    CHECK(workspace.run(pipeline).status == 2);
    CHECK(workspace.run(pipeline, {"--only", "post"}).status == 2);
    const Run run = workspace.run(pipeline, {"--only", "web"});
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK(run.text("web", "status") == "changed");
}

TEST_CASE("an --only that selects nothing is a mistake, and says what was probably meant") {
    const Workspace workspace;
    const Run run = workspace.run(workspace.head() + works("web1") + works("mail"),
                                  {"--only", "web1", "--only", "mails"});
    CHECK(run.status == 2);
    CHECK(says(run, "\"mails\": no deployment has such a name; did you mean \"mail\"?"));
}

TEST_CASE("who needs a failed deployment is skipped and says why") {
    const Workspace workspace;
    const Run run =
        workspace.run(workspace.head() + std::string(deployment("first", "test-fails-silently")) +
                      works("second", "needs = [\"first\"]\n") + works("third"));
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(run.text("first", "status") == "failed");
    CHECK(run.text("second", "status") == "skipped");
    CHECK(run.text("second", "reason").find("first") != std::string::npos);
    CHECK(run.text("third", "status") == "changed");
}

TEST_CASE("every line of --output json is an object that tells time, event and run") {
    const Workspace workspace;
    const Run run = workspace.run(
        workspace.head() + works("web") + std::string(deployment("bad", "test-prints")),
        {"--output", "json"});
    CHECK(run.status == 0);
    std::vector<std::string> events;
    std::istringstream lines(run.output);
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        const boost::json::object event = boost::json::parse(line).as_object();
        CHECK(event.contains("time"));
        CHECK(event.at("run") == run.report.at("run"));
        events.emplace_back(event.at("event").as_string());
    }
    REQUIRE(events.size() > 2);
    CHECK(events.front() == "run_started");
    CHECK(events.back() == "run_finished");
    for (const std::string wanted :
         {"attempt_started", "stage", "log", "attempt_finished", "deployment_finished"}) {
        CAPTURE(wanted);
        CHECK(std::count(events.begin(), events.end(), wanted) >= 1);
    }
    CHECK(std::count(events.begin(), events.end(), "deployment_finished") == 2);
}

TEST_CASE("the report has what programs are told to rely on") {
    const Workspace workspace;
    const Run run = workspace.run(workspace.head() + works("web"));
    CHECK(run.report.at("schema") == 1);
    CHECK(run.report.at("status") == "ok");
    for (const std::string key : {"run", "pipeline", "started", "finished"}) {
        CAPTURE(key);
        CHECK(run.report.contains(key));
    }
    for (const std::string key :
         {"name", "plugin", "target", "certificates", "status", "reason", "rollback", "proof",
          "serving", "late", "attempts", "duration_ms", "error", "outputs"}) {
        CAPTURE(key);
        CHECK(run["web"].contains(key));
    }
    CHECK(run.text("web", "proof") == "none");
}

TEST_CASE("plain output has no escape sequences") {
    const Workspace workspace;
    const Run run = workspace.run(workspace.head() + works("web"));
    CHECK(run.output.find('\x1b') == std::string::npos);
    CHECK(says(run, "web"));
}

TEST_CASE("a secret is in no output, whatever its plugin does with it") {
    Workspace workspace;
    const std::string secret = "correct-horse-battery";
    std::string source;
    SUBCASE("from the environment") {
        workspace.environment()["TEST_PASSWORD"] = secret;
        source = "env = \"TEST_PASSWORD\"";
    }
    SUBCASE("from a file") {
        source = "file = \"" + workspace.folder().write("password", secret + "\n").string() + "\"";
    }
    SUBCASE("from a command") {
        source = "command = [\"echo\", \"correct-horse-\", \"battery\"]";
    }
    std::string shown = secret;
    if (source.find("echo") != std::string::npos) shown = "correct-horse- battery";
    for (const std::string output : {"plain", "json"}) {
        CAPTURE(output);
        const Run run = workspace.run(
            workspace.head() +
                std::string(deployment("leaky", "test-leaks-secret")
                                .value("config", "{ password = { " + source + " } }")),
            {"--output", output});
        CAPTURE(run.output);
        CAPTURE(run.errors);
        CHECK(run.status == 1);
        CHECK(run.message("leaky").find("login with") != std::string::npos);
        CHECK_FALSE(says(run, shown));
        CHECK(boost::json::serialize(run.report).find(shown) == std::string::npos);
        CHECK_FALSE(says(run, "PRIVATE KEY"));
    }
}

TEST_CASE("a file full of noise is refused, not believed") {
    const Workspace workspace;
    std::string noise;
    unsigned seed = 7;
    for (int i = 0; i < 20'000; ++i) {
        seed = seed * 1103515245u + 12345u;
        noise += static_cast<char>(seed >> 16);
    }
    const auto file = workspace.folder().write("noise.toml", noise);
    const Run run = run_program(workspace, {"check", file.string()});
    CHECK(run.status == 2);
    CHECK(says(run, "noise.toml"));
}

TEST_CASE("plugins and their parameters can be looked up") {
    const Workspace workspace;
    const Run list = run_program(workspace, {"plugins"});
    CHECK(list.status == 0);
    for (const std::string id : {"nginx", "file", "test-works"}) {
        CAPTURE(id);
        CHECK(says(list, id));
    }
    const Run shown = run_program(workspace, {"plugin", "show", "test-works"});
    CHECK(shown.status == 0);
    CHECK(says(shown, "milliseconds"));
    CHECK(leftovers().empty());
}

TEST_CASE("the pipeline that plugin show gives is one that can be run, but for its places") {
    const Workspace workspace;
    workspace.folder().write("live/shop.pem", read_text(workspace / "shop.pem"));
    workspace.folder().write("live/shop.key", read_text(workspace / "shop.key"));
    for (const std::string id : {"file", "nginx", "probe", "test-works"}) {
        CAPTURE(id);
        std::string text = run_program(workspace, {"plugin", "show", id}).output;
        for (const std::string wanted : {"deploy 1m", "grace", "deployments at once: any number"}) {
            CAPTURE(wanted);
            CHECK(text.find(wanted) != std::string::npos);
        }
        const std::string before = "a pipeline:\n";
        text.erase(0, text.find(before) + before.size());
        const std::string source = "/etc/letsencrypt/live/shop.example";
        REQUIRE(text.find(source) != std::string::npos);
        text.replace(text.find(source), source.size(), (workspace / "live").string());
        const auto file = workspace.folder().write("shown.toml", text);
        const Run check = run_program(workspace, {"check", file.string()});
        CAPTURE(check.errors);
        CHECK(check.status == 0);
        CHECK_FALSE(says(check, "has no probe"));
    }
}
