#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <mntent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

using namespace certcast::testing;

namespace {

std::filesystem::path own_group() {
    std::filesystem::path mount;
    FILE* const mounts = setmntent("/proc/self/mounts", "re");
    while (const mntent* entry = getmntent(mounts))
        if (mount.empty() && std::string_view(entry->mnt_type) == "cgroup2") mount = entry->mnt_dir;
    endmntent(mounts);
    std::istringstream lines(content_of("/proc/self/cgroup"));
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("0::/")) return mount / line.substr(4);
    return mount;
}

/// A control group that is given to whatever is started in it, as systemd's Delegate=yes does.
class GivenGroup {
public:
    GivenGroup() {
        static int count = 0;
        path_ = own_group() /
                ("certcast-test-" + std::to_string(getpid()) + "-" + std::to_string(count++));
        exists_ = mkdir(path_.c_str(), 0755) == 0 &&
                  setxattr(path_.c_str(), "user.delegate", "1", 1, 0) == 0;
    }
    GivenGroup(const GivenGroup&) = delete;
    GivenGroup& operator=(const GivenGroup&) = delete;
    ~GivenGroup() {
        if (!exists_) return;
        clear();
        rmdir(path_.c_str());
    }

    explicit operator bool() const { return exists_; }
    const std::filesystem::path& path() const { return path_; }
    bool limits_memory() const {
        return content_of(path_ / "cgroup.controllers").find("memory") != std::string::npos;
    }
    void clear() const {
        for (const auto& run : std::filesystem::directory_iterator(path_)) {
            if (!run.is_directory()) continue;
            for (const auto& group : std::filesystem::directory_iterator(run.path()))
                if (group.is_directory()) rmdir(group.path().c_str());
            rmdir(run.path().c_str());
        }
        std::ofstream(path_ / "cgroup.subtree_control") << "-memory -pids";
    }
    /// Groups that certcast has made in it.
    std::size_t groups() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(path_))
            count += entry.is_directory();
        return count;
    }
    /// Before a program: it starts in this group.
    std::vector<std::string> launcher() const {
        return {"sh", "-c", "echo $$ > " + (path_ / "cgroup.procs").string() + "; exec \"$@\"",
                "sh"};
    }

private:
    std::filesystem::path path_;
    bool exists_ = false;
};

bool has(const Run& run, std::string_view power) {
    for (const auto& one : run.report.at("control_groups").as_array())
        if (one.as_string() == power) return true;
    return false;
}

}  // namespace

TEST_CASE("attempts are put into control groups that this run has been given") {
    const GivenGroup given;
    // Known before any subcase begins, since what leaves before them would be entered forever.
    static const bool can_be_made{given};
    if (!can_be_made) {
        MESSAGE("no control group can be made here");
        return;
    }
    REQUIRE(given);
    Workspace workspace;
    workspace.launcher() = given.launcher();
    const Announcements announcements(workspace / "announce");

    SUBCASE("which end what is left of them, and are gone with the run") {
        const Run run = workspace.run(
            workspace.head() +
            std::string(
                deployment("daemon", "test-daemon")
                    .value("config", "{ announce = \"" + announcements.path().string() + "\" }")) +
            std::string(deployment("works", "test-works")));
        CAPTURE(run.output);
        CAPTURE(run.errors);
        CHECK(run.status == 0);
        CHECK(has(run, "sweep"));
        CHECK(has(run, "memory") == given.limits_memory());
        const Watch watch({announcements.next().process});
        CHECK(watch.all_end_within(0ms));
    }
    SUBCASE("and those that a killed run has left go with the next") {
        const auto host = workspace.start_run(
            workspace.head() +
            std::string(deployment("stays", "test-works")
                            .value("config", "{ milliseconds = 60000, announce = \"" +
                                                 announcements.path().string() + "\" }")));
        const pid_t worker = announcements.next().process;
        CHECK(content_of("/proc/" + std::to_string(worker) + "/cgroup")
                  .find("/" + given.path().filename().string() + "/certcast-") !=
              std::string::npos);
        host->signal(SIGKILL);
        host->wait();
        wait_for_no_leftovers(20s);
        CHECK(given.groups() == 1);
        // Where it was divided to limit memory no other program can be started in it.
        if (given.limits_memory()) given.clear();
        const Run run =
            workspace.run(workspace.head() + std::string(deployment("works", "test-works")));
        CHECK(run.status == 0);
    }
    SUBCASE("which limit the memory of all their processes together") {
        const Run run = workspace.run(workspace.head() +
                                      std::string(deployment("bomb", "test-shared-memory-bomb")
                                                      .value("limits", "{ memory = \"256MiB\" }")) +
                                      std::string(deployment("works", "test-works")));
        CAPTURE(run.output);
        CHECK(run.text("works", "status") == "changed");
        // Without the kernel's help shared memory counts for nobody.
        CHECK(run.text("bomb", "reason") == (has(run, "memory") ? "limit:memory" : ""));
    }
    CHECK(given.groups() == 0);
    CHECK(leftovers().empty());
}

TEST_CASE("what has not been given is left alone") {
    const Workspace workspace;
    const Run run =
        workspace.run(workspace.head() + std::string(deployment("works", "test-works")));
    CHECK(run.status == 0);
    CHECK(run.report.at("control_groups").as_array().empty());
}
