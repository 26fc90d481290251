#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

/// A deployment that tells its processes before it does what its plugin is for.
Toml announced(std::string_view name, std::string_view plugin, const Announcements& announcements,
               int milliseconds = 0) {
    return deployment(name, plugin)
        .value("config", "{ announce = \"" + announcements.path().string() +
                             "\", milliseconds = " + std::to_string(milliseconds) + " }");
}

std::string all(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += part;
    return text;
}

}  // namespace

TEST_CASE("nothing outlives a host that is killed") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    // A worker that would never end, one that burns time, and a daemon out of its group's reach.
    const auto host = workspace.start_run(
        all({workspace.head(), announced("sleeps", "test-ignores-cancel", announcements),
             announced("spins", "test-spins", announcements),
             announced("works", "test-works", announcements, 60'000),
             announced("daemon", "test-daemon", announcements, 60'000)}));
    for (int i = 0; i < 4; ++i) announcements.next();
    const Watch watch(descendants(host->pid()));
    CHECK(watch.size() >= 13);  // four fork servers, their supervisors, four workers, one daemon
    host->signal(SIGKILL);
    CHECK(host->wait().status == 128 + SIGKILL);
    wait_for_no_leftovers();
    CHECK(watch.all_end_within(0ms));
}

TEST_CASE("nothing outlives a host and its fork servers that are killed at one instant") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host =
        workspace.start_run(all({workspace.head(), announced("spins", "test-spins", announcements),
                                 announced("daemon", "test-daemon", announcements, 60'000)}));
    for (int i = 0; i < 2; ++i) announcements.next();
    const std::vector<pid_t> below = descendants(host->pid());
    const Watch watch(below);
    std::vector<pid_t> servers;
    std::copy_if(below.begin(), below.end(), std::back_inserter(servers),
                 [&](pid_t process) { return parent_of(parent_of(process)) == host->pid(); });
    CHECK(servers.size() == 2);
    // Stopped, so that neither can do anything about the other's end.
    for (const pid_t server : servers) kill(server, SIGSTOP);
    host->signal(SIGKILL);
    host->wait();
    for (const pid_t server : servers) kill(server, SIGKILL);
    wait_for_no_leftovers();
    CHECK(watch.all_end_within(0ms));
}

TEST_CASE("a library that does not come back from being loaded dies with the host") {
    const Workspace workspace;
    std::string plugin = "test-outlives";
    SUBCASE("without EXEC") {}
    SUBCASE("with EXEC") {
        plugin = "test-outlives-with-exec";
    }
    const auto host = workspace.start_run(
        workspace.head() + std::string(deployment("stays", plugin).text("timeout", "60s")));
    pid_t loads = 0;
    wait_until("whoever loads it has its sandbox", [&] {
        for (const pid_t process : descendants(host->pid())) {
            const std::string folder = "/proc/" + std::to_string(process);
            const std::string words = content_of(folder + "/cmdline");
            const bool describes = words.find("--describe") != std::string::npos;
            const bool confined =
                content_of(folder + "/status").find("Seccomp:\t2") != std::string::npos;
            if (!describes && confined && state_of(process) == 'S') loads = process;
        }
        return loads != 0;
    });
    const Watch watch({loads});
    host->signal(SIGKILL);
    host->wait();
    CHECK(watch.all_end_within(10s));
}

TEST_CASE("what a library starts while it is loaded is one process, which dies with the host") {
    const Workspace workspace;
    const auto host = workspace.start_run(
        workspace.head() + std::string(deployment("forks", "test-forks-in-constructor")) +
        std::string(deployment("works", "test-works").value("config", "{ milliseconds = 60000 }")));
    pid_t server = 0;
    wait_until("the library has tried", [&] {
        for (const pid_t process : descendants(host->pid()))
            if (program_of(process) == "has-tried") server = process;
        return server != 0;
    });
    const std::vector<pid_t> left = descendants(server);
    CHECK(left.size() == 1);
    const Watch watch(left);
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
    CHECK(watch.all_end_within(0ms));
}

TEST_CASE("a host leaves the terminal as it was, however it ends") {
    std::vector<int> signals;
    SUBCASE("killed") {
        signals = {SIGKILL};
    }
    SUBCASE("terminated twice") {
        signals = {SIGTERM, SIGTERM};
    }
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const std::string pipeline =
        workspace.folder()
            .write("pipeline.toml", all({workspace.head(),
                                         announced("stays", "test-ignores-cancel", announcements)}))
            .string();
    int terminal = -1;
    const pid_t host = forkpty(&terminal, nullptr, nullptr, nullptr);
    if (host == 0) {
        for (const auto& [name, value] : workspace.environment())
            setenv(name.c_str(), value.c_str(), 1);
        setenv("TERM", "xterm", 1);
        execl(CERTCAST_PROGRAM, "certcast", "run", pipeline.c_str(), nullptr);
        _exit(9);
    }
    termios before{};
    REQUIRE(tcgetattr(terminal, &before) == 0);
    announcements.next();
    fcntl(terminal, F_SETFL, O_NONBLOCK);
    std::string shown;
    const auto read_on = [&] {
        char bytes[4096];
        for (ssize_t size = 0; (size = read(terminal, bytes, sizeof bytes)) > 0;)
            shown.append(bytes, static_cast<std::size_t>(size));
        return shown.find("of 1 finished") != std::string::npos;
    };
    wait_until("the run is shown", read_on);
    for (const int signal : signals) kill(host, signal);
    REQUIRE(waitpid(host, nullptr, 0) == host);
    termios after{};
    REQUIRE(tcgetattr(terminal, &after) == 0);
    CHECK(after.c_lflag == before.c_lflag);
    CHECK(after.c_iflag == before.c_iflag);
    CHECK(after.c_oflag == before.c_oflag);
    read_on();
    close(terminal);
    CAPTURE(shown);
    CHECK(shown.find("\033[?25l") == std::string::npos);    // a hidden cursor
    CHECK(shown.find("\033[?1049h") == std::string::npos);  // another screen
    wait_for_no_leftovers();
}

TEST_CASE("a host that is killed while it runs an operator's command takes the command with it") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    std::string work = "sleep 1000";
    SUBCASE("that is silent") {}
    SUBCASE("that prints without end") {
        work = "while :; do echo and on and on; done";
    }
    workspace.folder().write("command.sh", "(setsid sleep 1000 & ); echo $$ 0 > " +
                                               announcements.path().string() + "; " + work + "\n");
    const auto host = workspace.start_run(
        workspace.head() +
        std::string(deployment("file", "file")
                        .table("deploy.file.config")
                        .text("fullchain", (workspace / "out.crt").string())
                        .text("key", (workspace / "out.key").string())
                        .value("after", Toml::list({"sh", (workspace / "command.sh").string()}))));
    const pid_t command = announcements.next().process;
    const Watch watch(descendants(host->pid()));
    CHECK(program_of(command) == "sh");
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
    CHECK(watch.all_end_within(0ms));
}

TEST_CASE("a fork server that is killed fails its deployments and leaves the others alone") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(
        all({workspace.head(), announced("hit1", "test-ignores-cancel", announcements),
             announced("hit2", "test-ignores-cancel", announcements),
             announced("spared", "test-works", announcements, 500)}));
    std::vector<Announcements::Line> lines;
    for (int i = 0; i < 3; ++i) lines.push_back(announcements.next());
    // Two of the three have the same parent: it is their fork server.
    std::sort(lines.begin(), lines.end(),
              [](const auto& a, const auto& b) { return a.parent < b.parent; });
    const pid_t fork_server = lines[1].parent;
    const Watch watch({lines[0].process, lines[1].process, lines[2].process});
    REQUIRE(kill(fork_server, SIGKILL) == 0);
    const Run run = workspace.collect(*host);
    CAPTURE(run.output);
    CHECK(watch.all_end_within(0ms));
    for (const std::string name : {"hit1", "hit2"}) {
        CAPTURE(name);
        const std::string status = run.text(name, "status");
        CHECK((status == "crashed" || status == "failed"));
        CHECK_FALSE(run.message(name).empty());
        CHECK(run.number(name, "duration_ms") < 10'000);
    }
    CHECK(run.text("spared", "status") == "changed");
    CHECK(run.status == 1);
    CHECK(leftovers().empty());
}

TEST_CASE("what a deployment left behind is dead while others go on") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    int milliseconds = 60'000;
    std::size_t killed = 0;  // on the way from the host to the daemon
    SUBCASE("when its worker has ended") {
        milliseconds = 0;
    }
    SUBCASE("when the supervisor of its fork server was killed") {
        killed = 1;
    }
    SUBCASE("when its fork server was killed") {
        killed = 2;
    }
    const auto host = workspace.start_run(
        all({workspace.head(), announced("leaves", "test-daemon", announcements, milliseconds),
             deployment("works", "test-works").value("config", "{ milliseconds = 60000 }")}));
    const pid_t daemon = announcements.next().process;
    const Watch watch({daemon});
    if (killed != 0) {
        std::vector<pid_t> way{daemon};
        while (way.front() > 1 && way.front() != host->pid())
            way.insert(way.begin(), parent_of(way.front()));
        REQUIRE(way.size() >= 5);  // host, supervisor, fork server, worker, daemon
        kill(way[killed], SIGKILL);
    }
    CHECK(watch.all_end_within(10s));
    const Watch still_there({host->pid()});
    CHECK_FALSE(still_there.all_end_within(0ms));
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
}

TEST_CASE("a deployment whose fork server was killed is tried again with a new one") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(
        workspace.head() + std::string(announced("hit", "test-works", announcements, 300)
                                           .value("retry", "{ attempts = 2, backoff = \"1ms\" }")));
    REQUIRE(kill(announcements.next().parent, SIGKILL) == 0);
    const Run run = workspace.collect(*host);
    CAPTURE(run.output);
    CHECK(run.text("hit", "status") == "changed");
    CHECK(run.number("hit", "attempts") == 2);
    CHECK(leftovers().empty());
}

TEST_CASE("a fork server that dies with every worker is started again once") {
    const Workspace workspace;
    const Run run = workspace.run(
        workspace.head() +
        std::string(Toml().table("defaults.plugin.test-kills-parent").text("sandbox", "off")) +
        std::string(deployment("bad", "test-kills-parent")
                        .value("retry", "{ attempts = 5, backoff = \"1ms\" }")) +
        std::string(deployment("good", "test-works")));
    CAPTURE(run.output);
    CHECK(run.text("bad", "status") == "failed");
    CHECK(run.number("bad", "attempts") == 3);
    CHECK(run.message("bad").find("not started again, having died twice") != std::string::npos);
    CHECK(run.text("good", "status") == "changed");
    CHECK(leftovers().empty());
}

TEST_CASE("a worker that is killed is a crash by that signal") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(
        all({workspace.head(), announced("hit", "test-ignores-cancel", announcements)}));
    REQUIRE(kill(announcements.next().process, SIGKILL) == 0);
    const Run run = workspace.collect(*host);
    CHECK(run.text("hit", "status") == "crashed");
    CHECK(run.message("hit").find("SIGKILL") != std::string::npos);
    CHECK(run.status == 1);
    CHECK(leftovers().empty());
}

TEST_CASE("an interrupted run asks its workers to stop and reports all of them") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    int signal = 0;
    SUBCASE("by SIGINT") {
        signal = SIGINT;
    }
    SUBCASE("by SIGTERM") {
        signal = SIGTERM;
    }
    const auto host = workspace.start_run(all(
        {workspace.head(), "max_parallel = 2\n", announced("polite", "test-late", announcements),
         announced("rude", "test-ignores-cancel", announcements),
         announced("never", "test-works", announcements)}));
    announcements.next();
    announcements.next();
    host->signal(signal);
    const Run run = workspace.collect(*host);
    CAPTURE(run.output);
    CHECK(run.status == 130);
    CHECK(run.report.at("status") == "interrupted");
    CHECK(run.text("rude", "status") == "cancelled");
    CHECK(run.text("never", "status") == "cancelled");
    CHECK(run.took < 10s);
    CHECK(leftovers().empty());
}

TEST_CASE("an interrupt while certificates are still looked at ends the run there") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const std::string command = Toml::list(
        {"sh", "-c", "echo $$$$ 0 > " + announcements.path().string() + "; exec sleep 1000"});
    const auto host = workspace.start_run(
        "format = 1\n[certificate.shop]\ncertificate = \"shop.pem\"\nkey = \"shop.key\"\n"
        "passphrase = { command = " +
        command + ", timeout = \"100s\" }\n" + std::string(deployment("web", "test-works")));
    const Watch watch({announcements.next().process});
    host->signal(SIGINT);
    const Run run = workspace.collect(*host, "pipeline", 10s);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 130);
    CHECK(run.report.empty());
    CHECK((run.output + run.errors).find("nothing was touched") != std::string::npos);
    CHECK(watch.all_end_within(0ms));
    CHECK(leftovers().empty());
}

TEST_CASE("the work folder that a killed host left behind is gone after the next run") {
    if (geteuid() != 0) {
        MESSAGE("needs root, to see where a process is that is not dumpable");
        return;
    }
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(
        all({workspace.head(), announced("stays", "test-ignores-cancel", announcements)}));
    const pid_t worker = announcements.next().process;
    const auto folder = std::filesystem::read_symlink("/proc/" + std::to_string(worker) + "/cwd");
    // Asked while it is locked: from then on any run beside this test is a next one.
    REQUIRE(std::filesystem::is_directory(folder));
    host->signal(SIGKILL);
    host->wait();
    wait_for_no_leftovers();
    CHECK(workspace.run(workspace.head() + std::string(deployment("web", "test-works"))).status ==
          0);
    CHECK_FALSE(std::filesystem::exists(folder.parent_path()));
}

TEST_CASE("an interrupt after a deadline does not take the grace away") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    Toml late = announced("late", "test-late", announcements, 700);
    const auto host = workspace.start_run(
        workspace.head() + std::string(late.text("timeout", "300ms").text("grace", "20s")));
    announcements.next();
    announcements.next();  // it has heard of the deadline
    host->signal(SIGINT);
    const Run run = workspace.collect(*host);
    CAPTURE(run.output);
    CHECK(run.status == 130);
    CHECK(run.text("late", "status") != "timed_out");
    CHECK(run.message("late").find("killed") == std::string::npos);
    CHECK(run.number("late", "duration_ms") >= 1000);
    CHECK(leftovers().empty());
}

TEST_CASE("children that certcast did not start are none of its business") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto file = workspace.folder().write(
        "pipeline.toml", workspace.head() + std::string(deployment("web", "test-works")));
    Process shell(
        {"sh", "-c",
         "sleep 1000 & echo $! 0 > " + announcements.path().string() + "; exec \"$0\" run \"$1\"",
         CERTCAST_PROGRAM, file.string()},
        workspace.environment());
    const pid_t bystander = announcements.next().process;
    CHECK(shell.wait().status == 0);
    CHECK(program_of(bystander) == "sleep");
    CHECK(leftovers().size() == 1);
}

TEST_CASE("a second interrupt does not wait for the grace") {
    const Workspace workspace;
    const Announcements announcements(workspace / "announce");
    const auto host = workspace.start_run(
        workspace.head() +
        std::string(announced("rude", "test-ignores-cancel", announcements).text("grace", "60s")));
    const pid_t worker = announcements.next().process;
    const Watch watch({worker});
    host->signal(SIGINT);
    wait_until("the host says that it stops", [&] {
        return (host->output() + host->errors()).find("interrupted") != std::string::npos;
    });
    host->signal(SIGINT);
    const Ending ending = host->wait(20s);
    CHECK(ending.status == 130);
    CHECK(watch.all_end_within(1s));
    wait_for_no_leftovers(5s);
}
