#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/worker/landlock_version.hpp"
#include "core/worker/worker_host.hpp"
#include "core/worker/worker_program.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/worker/listening.hpp"
#include "tests/worker/process.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <certcast/plugin.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace asio = boost::asio;

namespace {

/// One deployment of one deployer of test-tries.so in a sandbox, and what came of it.
class Trial {
public:
    /// `cold`: each worker loads the library, and confines itself before that.
    explicit Trial(std::uint32_t newest_landlock, bool cold = false)
        : newest_landlock_(newest_landlock), library_(copied_library()) {
        library_.cold_start = cold;
        ::chmod(folder_.path().c_str(), 0711);
        // All may look into these, so that nothing but the sandbox keeps a plugin from it.
        for (const char* file : {"in/read", "out/there", "other/file"}) {
            ::chmod(folder_.write(file, "as it was").c_str(), 0644);
            ::chmod((folder_ / file).parent_path().c_str(), 0755);
        }
    }

    void run(const std::string& deployer, bool writes, Sandbox sandbox = Sandbox::on) {
        asio::io_context io;
        {
            WorkerHost host(
                io.get_executor(),
                std::filesystem::path(CERTCAST_PROGRAM).parent_path() / "certcast-worker",
                folder_ / "work", newest_landlock_);
            asio::co_spawn(io, deploy(host, deployer, writes, sandbox),
                           [](std::exception_ptr failure) {
                               if (failure) std::rethrow_exception(failure);
                           });
            io.run_for(std::chrono::seconds(30));
            gaps = host.sandbox_gaps();
        }
    }

    std::string other() const { return read(folder_ / "other/file"); }
    long operator[](const std::string& what) const {
        const auto found = calls.outputs.find(what);
        return found == calls.outputs.end() ? -1 : found->second;
    }
    bool told(const std::string& text) const {
        for (const std::string& line : calls.lines) {
            if (line.find(text) != std::string::npos) return true;
        }
        return false;
    }

    Listening calls;
    Outcome outcome;
    std::set<std::string> gaps;

private:
    static std::string read(const std::filesystem::path& path) {
        std::ifstream in(path);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    // Where any user may read it, however private the folder is that this was built in.
    Library copied_library() {
        ::chmod(folder_.path().c_str(), 0755);
        const auto copy = folder_ / "test-tries.so";
        std::filesystem::copy_file(CERTCAST_TEST_PLUGINS "/test-tries.so", copy);
        const auto described = describe_library(
            std::filesystem::path(CERTCAST_PROGRAM).parent_path() / "certcast-worker", copy, 10);
        REQUIRE(described.has_value());
        return decode_library(*described, copy).value();
    }

    SessionRequest request_for(const std::string& deployer, bool writes, Sandbox sandbox,
                               const char* read) const {
        SessionRequest request;
        request.library = &library_;
        for (const Descriptor& one : library_.deployers) {
            if (one.id == deployer) request.descriptor = &one;
        }
        const auto path = [this](const std::string& name) {
            Value value;
            value.type = name.empty() ? ParameterType::none : ParameterType::path;
            value.text = (folder_ / name).string();
            return value;
        };
        request.config.type = ParameterType::object;
        request.config.entries.push_back({"read", path(read)});
        request.config.entries.push_back({"written", path(writes ? "out/new" : "")});
        request.config.entries.push_back({"other", path("other/file")});
        request.config.entries.push_back({"device", path(writes ? "/dev/ptmx" : "")});
        request.sandbox = sandbox;
        return request;
    }

    asio::awaitable<void> deploy(WorkerHost& host, std::string deployer, bool writes,
                                 Sandbox sandbox) {
        SessionRequest request = request_for(deployer, writes, sandbox, "in/read");
        // Its fork server is granted what a neighbour may read, too: each worker is not.
        host.expect(request);
        host.expect(request_for(deployer, writes, sandbox, "other/file"));
        host.expect(request_for(deployer, writes, sandbox, "/etc/issue"));
        auto session = co_await host.start(std::move(request), calls);
        if (!session) {
            outcome.ended = Ended::setup_failed;
            outcome.failure.message = session.error().text();
            co_return;
        }
        StageRequest stage;
        stage.timeout = Duration(20'000);
        outcome = co_await (*session)->run(std::move(stage));
        if (outcome.succeeded()) outcome = co_await (*session)->finish(Duration(5'000));
        host.kill_all();
    }

    TemporaryFolder folder_;
    std::uint32_t newest_landlock_;
    Library library_;
};

/// Every version that makes a difference, and what this kernel has.
std::vector<std::uint32_t> versions() {
    std::vector<std::uint32_t> all{landlock_version()};
    for (const std::uint32_t older : {4u, 2u, 1u}) {
        if (older < all.front()) all.push_back(older);
    }
    return all;
}

bool is_refused(long error) {
    return error == EACCES || error == EPERM || error == EROFS || error == ENOSYS;
}

const std::vector<std::string> never = {"read /etc/shadow",
                                        "read other",
                                        "write other",
                                        "remove other",
                                        "make beside other",
                                        "truncate other",
                                        "write what may be read",
                                        "chmod other",
                                        "chmod granted",
                                        "chown other",
                                        "owner of a mere name",
                                        "touch other",
                                        "set attribute of other",
                                        "read the host in /proc",
                                        "packet",
                                        "ptrace",
                                        "read memory",
                                        "io_uring",
                                        "namespace",
                                        "namespace by clone",
                                        "mount",
                                        "bpf",
                                        "keys",
                                        "userfaultfd",
                                        "perf",
                                        "shared memory",
                                        "module",
                                        "kexec",
                                        "outlive its parent",
                                        "be dumped",
                                        "limit its parent",
                                        "datagram pair",
                                        "keep others from a file",
                                        "make a file that runs as its owner",
                                        "make a file run as its owner",
                                        "limit all of its user's",
                                        "start a sibling",
                                        "asynchronous input",
                                        "look at work folders"};
const std::vector<std::string> always = {
    "read granted", "write its work folder",    "thread", "stream pair", "signal itself", "linger",
    "keep alive",   "rename in its work folder"};

void check_common(const Trial& trial) {
    CAPTURE(trial.outcome.failure.message);
    REQUIRE(trial.outcome.succeeded());
    for (const std::string& what : never) {
        CAPTURE(what);
        CAPTURE(trial[what]);
        CHECK(is_refused(trial[what]));
    }
    CHECK(trial["read what a neighbour may in /etc"] != 0);
    for (const std::string& what : always) {
        CAPTURE(what);
        CHECK(trial[what] == 0);
    }
    CHECK(trial["size of what may be read"] == 9);
    CHECK(trial["lingers"] == 0);
    CHECK(trial.other() == "as it was");
    CHECK(trial["clone3"] == ENOSYS);
    CHECK(trial["a call of the future"] == ENOSYS);
    CHECK(trial.gaps.empty());
    CHECK(trial.told("the sandbox refused ptrace: it is granted to no plugin"));
}

}  // namespace

TEST_CASE("a plugin that declares nothing reaches nothing but what it may read") {
    for (const std::uint32_t version : versions()) {
        CAPTURE(version);
        Trial trial(version);
        trial.run("test-tries", false);
        check_common(trial);
        for (const char* what :
             {"tcp", "tcp6", "udp", "unix", "tcp by garbage above the int", "fork", "run nothing",
              "run a memfd", "signal its parent", "signal process 1", "mode of what is open",
              "write granted", "use a device"}) {
            CAPTURE(what);
            CHECK(trial[what] != 0);
        }
        CHECK(trial.told("socket(AF_INET): the plugin does not declare NETWORK"));
        CHECK(trial.told("execve: the plugin does not declare EXEC"));
        CHECK(trial.told("kill of process 1: the plugin does not declare SIGNALS"));
        CHECK(trial["capabilities"] == 0);
        if (geteuid() == 0) CHECK(trial["user"] != 0);
    }
}

TEST_CASE("what a plugin may write is the folder that its parameter names, and no other") {
    for (const std::uint32_t version : versions()) {
        CAPTURE(version);
        Trial trial(version);
        trial.run("test-tries", true);
        check_common(trial);
        for (const char* what :
             {"write granted", "mode of what is open", "times of what is open",
              "owner of what is open", "rename granted", "remove granted", "use a device"}) {
            CAPTURE(what);
            CHECK(trial[what] == 0);
        }
        CHECK(is_refused(trial["symlink where it may write"]));
        CHECK(trial["move a symlink where it may write"] == EXDEV);
        CHECK(is_refused(trial["make a file run as its owner"]));
        CHECK(trial["mode of a mere name"] != 0);
        for (const char* what : {"write other", "remove other", "make beside other", "tcp"}) {
            CAPTURE(what);
            CHECK(is_refused(trial[what]));
        }
        CHECK(trial["user"] == static_cast<int>(geteuid()));
    }
}

TEST_CASE("a right that a plugin declares is granted, and with it no other") {
    struct Right {
        std::string deployer;
        std::vector<std::string> granted;
        std::vector<std::string> refused;
    };
    const Right all[] = {
        {"test-tries-network", {"tcp", "tcp6", "udp"}, {"unix", "fork", "run nothing"}},
        {"test-tries-unix", {"unix"}, {"tcp", "udp", "fork", "run nothing"}},
        {"test-tries-exec", {"fork"}, {"tcp", "udp", "unix", "signal process 1"}},
        {"test-tries-signals", {"signal its parent"}, {"tcp", "unix", "fork", "run nothing"}},
    };
    for (const std::uint32_t version : versions()) {
        for (const Right& right : all) {
            CAPTURE(version);
            CAPTURE(right.deployer);
            Trial trial(version);
            trial.run(right.deployer, false);
            check_common(trial);
            for (const std::string& what : right.granted) {
                CAPTURE(what);
                CHECK(trial[what] == 0);
            }
            for (const std::string& what : right.refused) {
                CAPTURE(what);
                CHECK(is_refused(trial[what]));
            }
            // There is nothing to be run: it gets as far as that.
            const bool runs = right.deployer == "test-tries-exec";
            CHECK((trial["run nothing"] == ENOENT) == runs);
        }
    }
}

TEST_CASE("a worker that loads the library itself is confined like one that was forked with it") {
    for (const std::uint32_t version : versions()) {
        for (const bool writes : {false, true}) {
            CAPTURE(version);
            CAPTURE(writes);
            Trial trial(version, true);
            trial.run("test-tries", writes);
            check_common(trial);
            for (const char* what : {"tcp", "unix", "fork", "run nothing", "write other"}) {
                CAPTURE(what);
                CHECK(is_refused(trial[what]));
            }
            CHECK((trial["write granted"] == 0) == writes);
            if (geteuid() == 0) CHECK((trial["user"] == 0) == writes);
        }
    }
}

TEST_CASE("a sandbox that is switched off refuses nothing") {
    Trial trial(landlock_version());
    trial.run("test-tries", false, Sandbox::off);
    CHECK(trial["read other"] == 0);
    CHECK(trial["tcp"] == 0);
    CHECK(trial["fork"] == 0);
    CHECK(trial["user"] == static_cast<int>(geteuid()));
    CHECK(trial.calls.lines.empty());
}

TEST_CASE("a mistake of the host's own fails the attempt that it is about, and nothing else") {
    Trial trial(landlock_version());
    trial.calls.fails = true;
    trial.run("test-tries", false);
    CHECK(trial.outcome.ended == Ended::setup_failed);
    CHECK(trial.outcome.failure.message == "certcast itself failed: a mistake");
    trial.calls.fails = false;
    trial.run("test-tries", false);
    CHECK(trial.outcome.ended == Ended::succeeded);
}

TEST_CASE("where the sandbox is required and cannot be had, nothing is loaded") {
    constexpr std::uint32_t no_landlock = 0;
    Trial trial(no_landlock);
    SUBCASE("required") {
        trial.run("test-tries", false, Sandbox::required);
        CHECK(trial.outcome.ended == Ended::setup_failed);
        CHECK(trial.outcome.failure.message.find("no Landlock") != std::string::npos);
        CHECK(trial.calls.outputs.empty());
    }
    SUBCASE("not required: it is told once") {
        trial.run("test-tries", false);
        REQUIRE(trial.gaps.size() == 1);
        CHECK(trial.gaps.begin()->find("no Landlock") != std::string::npos);
    }
    SUBCASE("not required, and each worker is loaded for itself") {
        Trial cold(no_landlock, true);
        cold.run("test-tries-exec", false);
        CHECK(cold["write its work folder"] == 0);
        // It is root who makes the next one beside it.
        if (geteuid() == 0) CHECK(is_refused(cold["exchange its work folder"]));
    }
    SUBCASE("required, and there") {
        Trial whole(landlock_version());
        whole.run("test-tries", false, Sandbox::required);
        CHECK(whole["read other"] != 0);
    }
}
