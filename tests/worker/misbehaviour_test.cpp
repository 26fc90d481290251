#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/neighbours.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

struct Misbehaviour {
    std::string plugin;
    std::string status;
    std::string reason;
    std::string message;  ///< what the error says, among other things
};

}  // namespace

TEST_CASE("each misbehaviour has its own outcome, spares its neighbours and leaves no process") {
    const Misbehaviour all[] = {
        {"test-throws-exception", "failed", "failed", "nobody catches me"},
        {"test-throws-int", "failed", "failed", "an exception left the plugin"},
        {"test-fails-silently", "failed", "failed", "without saying why"},
        {"test-segv", "crashed", "", "SIGSEGV"},
        {"test-aborts", "crashed", "", "SIGABRT"},
        {"test-exits-zero", "failed", "failed", "exit status 0"},
        {"test-exits-three", "failed", "failed", "exit status 3"},
        {"test-exits-in-destroy", "failed", "failed", "exit status 0"},
        {"test-spins", "timed_out", "", "not done after 1.0 s"},
        {"test-ignores-cancel", "timed_out", "", "not done after 1.0 s"},
        {"test-stops-itself", "timed_out", "", "not done after 1.0 s"},
        {"test-closes-descriptors", "failed", "protocol_error", ""},
        {"test-scribbles", "failed", "protocol_error", ""},
        {"test-blocks-cancel", "timed_out", "", "not done after 1.0 s"},
        {"test-floods-calls", "failed", "protocol_error", "does not read"},
        {"test-long-text", "failed", "protocol_error", "log frame is malformed"},
        {"test-outlasting-call", "failed", "protocol_error", "in the middle of a call"},
        {"test-sends-descriptor", "failed", "protocol_error", "sent a descriptor"},
        {"test-floods-stdout", "failed", "limit:output", "more than 64MiB"},
        {"test-stack-overflow", "crashed", "", "SIGSEGV"},
        {"test-exits-from-thread", "failed", "failed", "exit status 0"},
        {"test-terminates", "crashed", "", "SIGABRT"},
        {"test-throws-in-destructor", "crashed", "", "SIGABRT"},
        {"test-jumps-out", "timed_out", "", "not done after 1.0 s"},
        {"test-unsealed-memfd", "failed", "protocol_error", "not a sealed memfd"},
        {"test-zero-length-frame", "failed", "protocol_error", ""},
        {"test-oversized-frame", "failed", "protocol_error", "longer than a frame can be"},
        {"test-forged-frame", "failed", "protocol_error", ""},
        {"test-tells-nonsense", "failed", "protocol_error", "has no certificate 7"},
        {"test-forges-start", "failed", "setup_failed", "fork server broke the protocol"},
        {"test-forges-exit", "failed", "setup_failed", "fork server broke the protocol"},
        {"test-forges-sweep", "failed", "setup_failed", "fork server broke the protocol"},
        {"test-forges-confinement", "failed", "setup_failed", "fork server broke the protocol"},
        {"test-protects-an-hour", "timed_out", "", "not done after 1.0 s"},
        {"test-sends-result-twice", "failed", "failed", "without saying why"},
        {"test-result-then-crash", "crashed", "", "SIGSEGV"},
        {"test-endless-progress", "timed_out", "", "not done after 1.0 s"},
        {"test-waits-a-year", "timed_out", "", "1.0 s"},
        {"test-invalid-utf8", "changed", "", ""},
        {"test-long-line", "changed", "", ""},
        {"test-disturbs-its-process", "changed", "", ""},
        {"test-reads-in-constructor", "changed", "", ""},
        {"test-attacks-neighbours", "changed", "", ""},
        {"test-reads-undeclared", "failed", "failed", "its sandbox does not let it"},
        {"test-daemon", "changed", "", ""},
        {"test-holds-stdout", "changed", "", ""},
        {"test-ignores-sigchld", "changed", "", ""},
        {"test-static-thread", "changed", "", ""},
        {"test-late", "changed", "", ""},
        {"test-huge-step", "changed", "", ""},
        {"test-prints", "changed", "", ""},
    };
    const Workspace workspace;
    for (const Misbehaviour& one : all) {
        SUBCASE(one.plugin.c_str()) {
            const Run run = workspace.run(among_neighbours(workspace, one.plugin));
            CAPTURE(run.output);
            CAPTURE(run.errors);
            CHECK(run.text("bad", "status") == one.status);
            CHECK(run.text("bad", "reason") == one.reason);
            CHECK(run.message("bad").find(one.message) != std::string::npos);
            CHECK((one.status == "changed" || !run.message("bad").empty()));
            CHECK(run.text("bad", "late") == (one.plugin == "test-late" ? "true" : "false"));
            CHECK(run.status == (one.status == "changed" ? 0 : 1));
            // A deadline, and for who asks for it as long as a descriptor here allows.
            CHECK(run.number("bad", "duration_ms") <
                  (one.plugin == "test-protects-an-hour" ? 8000 : 5000));
            check_neighbours(run);
            CHECK(leftovers().empty());
        }
    }
}

TEST_CASE("a library that cannot be loaded fails what names it, with the reason, and never hangs") {
    struct Broken {
        std::string name;
        std::string message;
    };
    const Broken all[] = {
        {"wrong-abi", "99"},
        {"absurd-sizes", "test-absurd-sizes.so"},
        {"no-symbol", "exports no function certcast_plugin_v1: it is no certcast plugin"},
        {"not-elf", "is no ELF file; expected a shared library for"},
        {"truncated", "test-truncated.so: is cut off: it has 5000 bytes of at least"},
        {"spins-in-constructor", "test-spins-in-constructor.so"},
        {"crashes-in-constructor", "test-crashes-in-constructor.so"},
        {"deadlocks-in-constructor", "test-deadlocks-in-constructor.so"},
    };
    Workspace workspace;
    for (const Broken& one : all) {
        std::string folder = one.name;
        std::replace(folder.begin(), folder.end(), '-', '_');
        const auto install = [&] {
            workspace.environment()["CERTCAST_PLUGIN_PATH"] +=
                ":" CERTCAST_BROKEN_PLUGINS "/" + folder;
        };
        SUBCASE(one.name.c_str()) {
            install();
            const std::string pipeline = among_neighbours(workspace, "test-" + one.name);
            const Run run = workspace.run(pipeline);
            CAPTURE(run.output);
            CAPTURE(run.errors);
            CHECK(run.status == 1);
            CHECK(run.text("bad", "reason") == "setup_failed");
            CHECK(run.message("bad").find(one.message) != std::string::npos);
            CHECK(run.errors.find(one.message) != std::string::npos);
            check_neighbours(run);
            CHECK(run.took < 30s);
            const auto check =
                workspace.start({"check", workspace.folder().write("c.toml", pipeline).string()});
            CHECK(check->wait(30s).status == 2);
            CHECK(leftovers().empty());
        }
        SUBCASE(("others run beside " + one.name).c_str()) {
            install();
            const Run run = workspace.run(among_neighbours(workspace, "test-works"));
            CAPTURE(run.output);
            CAPTURE(run.errors);
            CHECK(run.status == 0);
            check_neighbours(run);
            CHECK(leftovers().empty());
        }
        SUBCASE(("the list of plugins says what is wrong with " + one.name).c_str()) {
            install();
            const auto process = workspace.start({"plugins"});
            CHECK(process->wait().status == 0);
            CAPTURE(process->errors());
            CHECK(process->output().find("test-works") != std::string::npos);
            CHECK(process->errors().find("test-" + one.name + ".so") != std::string::npos);
            CHECK(process->errors().find(one.message) != std::string::npos);
            CHECK(leftovers().empty());
        }
    }
}

TEST_CASE("an attempt that goes over a limit ends as that limit, and spares its neighbours") {
    struct Limited {
        std::string plugin;
        std::string limits;
        std::string limit;
    };
    const Limited all[] = {
        {"test-fork-bomb", "processes = 40", "processes"},
        {"test-scatters", "processes = 40", "processes"},
        {"test-thread-bomb", "processes = 40", "processes"},
#ifndef __SANITIZE_ADDRESS__
        {"test-memory-bomb", "memory = \"64MiB\"", "memory"},
        {"test-memory-bomb-in-c", "memory = \"64MiB\"", "memory"},
#endif
        {"test-file-bomb", "file_size = \"8MiB\"", "file_size"},
        {"test-descriptor-leak", "files = 64", "files"},
        {"test-floods-stdout", "output = \"1MiB\"", "output"},
        {"test-million-logs", "output = \"1MiB\"", "output"},
        {"test-spins", "cpu = \"1s\"", "cpu"},
    };
    const Workspace workspace;
    for (const Limited& one : all) {
        SUBCASE((one.plugin + " with " + one.limits).c_str()) {
            std::string text = workspace.head();
            text += deployment("bad", one.plugin).value("limits", "{ " + one.limits + " }");
            const Run run = workspace.run(with_neighbours(std::move(text)));
            CAPTURE(run.output);
            CAPTURE(run.errors);
            CHECK(run.text("bad", "status") == "failed");
            CHECK(run.text("bad", "reason") == "limit:" + one.limit);
            CHECK(run.status == 1);
            CHECK(run.number("bad", "duration_ms") < 5000);
            check_neighbours(run);
            CHECK(leftovers().empty());
        }
    }
}

TEST_CASE("what is read while a library is loaded is nobody's secret") {
    const Workspace workspace;
    const Run run = workspace.run(among_neighbours(workspace, "test-reads-in-constructor"));
    REQUIRE(run.text("bad", "status") == "changed");
    CHECK(run["bad"].at("outputs").at("shadow") == "hidden");
    CHECK(run["bad"].at("outputs").at("open folders") == "none");
}

TEST_CASE("a daemon that a plugin leaves behind is dead before the run ends") {
    const Workspace workspace;
    const char* plugin = "";
    SUBCASE("in a session of its own") {
        plugin = "test-daemon";
    }
    SUBCASE("holding every descriptor open") {
        plugin = "test-holds-stdout";
    }
    const Announcements announcements(workspace / "announce");
    const auto process = workspace.start_run(among_neighbours(
        workspace, plugin, "announce = \"" + announcements.path().string() + "\""));
    const pid_t daemon = announcements.next().process;
    const Watch watch({daemon});
    const Run run = workspace.collect(*process);
    CHECK(run.status == 0);
    CHECK(watch.all_end_within(0ms));
    CHECK(leftovers().empty());
}

TEST_CASE("a success within the grace is late, and one that comes after it is none") {
    const Workspace workspace;
    SUBCASE("within") {
        const Run run =
            workspace.run(among_neighbours(workspace, "test-late", "milliseconds = 50"));
        CHECK(run.text("bad", "status") == "changed");
        CHECK(run.text("bad", "late") == "true");
    }
    SUBCASE("after") {
        const Run run =
            workspace.run(among_neighbours(workspace, "test-late", "milliseconds = 5000"));
        CHECK(run.text("bad", "status") == "timed_out");
        CHECK(run.number("bad", "duration_ms") < 4000);
    }
    SUBCASE("after, but protected") {
        const Run run =
            workspace.run(among_neighbours(workspace, "test-protects", "milliseconds = 1500"));
        CHECK(run.text("bad", "status") == "changed");
        CHECK(run.text("bad", "late") == "true");
    }
    SUBCASE("never, however often it asks to be protected") {
        const Run run = workspace.run(among_neighbours(workspace, "test-renews-protection"));
        CHECK(run.text("bad", "status") == "timed_out");
        CHECK(run.number("bad", "duration_ms") < 8000);  // deadline, grace and 5 s of protection
    }
    CHECK(leftovers().empty());
}

TEST_CASE(
    "a daemon that is started while a library is loaded is dead when that has been described") {
    Workspace workspace;
    workspace.environment()["CERTCAST_PLUGIN_PATH"] +=
        ":" CERTCAST_BROKEN_PLUGINS "/daemon_in_constructor";
    workspace.environment()["XDG_CACHE_HOME"] = (workspace / "cache").string();
    for (int i = 0; i < 5; ++i) {
        const auto process = workspace.start({"plugin", "show", "test-daemon-in-constructor"});
        CHECK(process->wait().status == 0);
        CHECK(leftovers().empty());
    }
    const Run run =
        workspace.run(among_neighbours(workspace, "test-daemon-in-constructor", {}, "off"));
    CHECK(run.text("bad", "status") == "changed");
    CHECK(leftovers().empty());
}

TEST_CASE("what a plugin prints becomes log lines of its deployment") {
    const Workspace workspace;
    const Run run = workspace.run(among_neighbours(workspace, "test-prints"), {"--output", "json"});
    std::vector<std::string> lines;
    std::size_t start = 0;
    for (std::size_t end = 0; (end = run.output.find('\n', start)) != std::string::npos;
         start = end + 1) {
        const boost::json::value line =
            boost::json::parse(std::string_view(run.output).substr(start, end - start));
        if (line.at("event") == "log" && line.at("deployment") == "bad")
            lines.emplace_back(line.at("message").as_string());
    }
    for (const std::string wanted :
         {"a line on standard output", "a line on standard error", "no end of line"}) {
        CAPTURE(wanted);
        CHECK(std::find(lines.begin(), lines.end(), wanted) != lines.end());
    }
}

TEST_CASE("a call that a stage may not make is answered, not punished") {
    const Workspace workspace;
    const Run run = workspace.run(among_neighbours(workspace, "test-wrong-stage"));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    REQUIRE(run.text("bad", "status") == "changed");
    const boost::json::value& answers = run["bad"].at("outputs");
    CHECK(answers.at("live") == "3");
    CHECK(answers.at("step_undone") == "3");
    CHECK(answers.at("key") == "5");
    CHECK(answers.at("leaf") == "0");
    for (const std::string call :
         {"material", "secret", "run_command", "set_changed", "diagnose"}) {
        CAPTURE(call);
        CHECK(answers.at(call) != "0");
    }
}

TEST_CASE("a worker finds nothing around itself but what is its own") {
    Workspace workspace;
    workspace.environment()["TEST_PASSWORD"] = "hunter22";
    workspace.environment()["LD_LIBRARY_PATH"] = "/somewhere";
    const Run run = workspace.run(among_neighbours(workspace, "test-tells-surroundings"));
    CAPTURE(run.output);
    REQUIRE(run.text("bad", "status") == "changed");
    const boost::json::object& found = run["bad"].at("outputs").as_object();
    const std::pair<const char*, const char*> expected[] = {
        {"secret variable", "hidden"},
        {"LC_ALL", "C.UTF-8"},
        {"own session", "1"},
        {"own group", "1"},
        {"no new privileges", "1"},
        {"dumpable", "0"},
        {"subreaper", "1"},
        {"dies with its parent", "1"},
        {"core", "0"},
        {"files", "1024"},
        {"umask", "63"},
        {"handled signals", "0"},
        {"blocked signals", "0"},
        {"other descriptors", "0"},
        {"passed to programs", "0"},
        {"input is /dev/null", "1"},
        {"in its work folder", "1"},
        {"mode of its work folder", "448"},
    };
    for (const auto& [what, value] : expected) {
        CAPTURE(what);
        CHECK(found.at(what).as_string() == value);
    }
    std::istringstream names{std::string(found.at("environment").as_string())};
    const std::set<std::string> allowed{"PATH",         "LANG",         "LC_ALL",  "HOME",
                                        "USER",         "TZ",           "LOGNAME", "TMPDIR",
                                        "ASAN_OPTIONS", "UBSAN_OPTIONS"};
    for (std::string name; names >> name;) {
        CAPTURE(name);
        CHECK(allowed.contains(name));
    }
}

TEST_CASE("what sends without end is ended, long before its deadline, and spares its neighbours") {
    std::string plugin;
    std::string told;
    SUBCASE("small things") {
        plugin = "test-endless-progress";
        told = "it sends without end";
    }
    SUBCASE("large ones") {
        plugin = "test-floods-memory";
        told = "it sends too much";
    }
    const Workspace workspace;
    std::string text = workspace.head();
    text += deployment("bad", plugin).text("timeout", "10m");
    const auto host = workspace.start_run(with_neighbours(std::move(text)));
    const Run run = workspace.collect(*host, "pipeline", 4min);
    CAPTURE(run.output);
    CHECK(run.text("bad", "reason") == "protocol_error");
    CHECK(run.message("bad").find(told) != std::string::npos);
    check_neighbours(run);
}

TEST_CASE("what takes too long to close is asked to stop, and has its grace") {
    const Workspace workspace;
    const Run run =
        workspace.run(workspace.head() + std::string(deployment("slow", "test-waits-in-destroy")
                                                         .value("timeouts", "{ close = \"200ms\" }")
                                                         .text("grace", "20s")));
    CAPTURE(run.output);
    CHECK(run.text("slow", "status") == "changed");
    CHECK(run.took < 15s);
}

TEST_CASE("a worker that cannot be killed is given up, and others of its plugin go on") {
    if (geteuid() != 0) {
        MESSAGE("needs root, to hold up the end of a process that is not dumpable");
        return;
    }
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const std::string announce = "announce = \"" + announcements.path().string() + "\"";
    std::string text = workspace.head();
    text += Toml().table("defaults.plugin.test-unkillable").text("sandbox", "off");
    text += deployment("bad", "test-unkillable")
                .text("timeout", "500ms")
                .text("grace", "100ms")
                .value("config", "{ " + announce + " }");
    text += deployment("good", "test-unkillable").value("config", "{ milliseconds = 12000 }");
    const auto process = workspace.start_run(text);
    const pid_t tracer = announcements.next().process;
    const Run run = workspace.collect(*process);
    kill(tracer, SIGKILL);
    CAPTURE(run.output);
    CHECK(run.text("bad", "status") == "timed_out");
    CHECK(run.message("bad").find("cannot be killed") != std::string::npos);
    CHECK(run.text("good", "status") == "changed");
    wait_for_no_leftovers();
}

TEST_CASE("a fork server that is killed takes only its own deployments with it") {
    Workspace workspace;
    std::string plugin = "test-kills-parent";
    SUBCASE("and its socket closes with it") {}
    SUBCASE("and something else keeps its socket open") {
        plugin = "test-child-in-constructor";
        workspace.environment()["CERTCAST_PLUGIN_PATH"] +=
            ":" CERTCAST_BROKEN_PLUGINS "/child_in_constructor";
    }
    const Run run = workspace.run(among_neighbours(workspace, plugin, {}, "off"));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    const std::string status = run.text("bad", "status");
    CHECK((status == "crashed" || status == "failed"));
    CHECK(run.text("bad", "reason") != "failed");
    CHECK_FALSE(run.message("bad").empty());
    check_neighbours(run);
    CHECK(leftovers().empty());
}
