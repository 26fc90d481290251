#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/cli/places.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

using namespace certcast;

namespace {

/// Whether `holds` does in a process of a user without rights and with these variables.
bool holds_for_a_user(const std::function<bool()>& holds,
                      const std::vector<std::pair<const char*, std::string>>& variables) {
    const pid_t child = fork();
    if (child == 0) {
        for (const char* name : {"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "HOME"}) {
            unsetenv(name);
        }
        for (const auto& [name, value] : variables) setenv(name, value.c_str(), 1);
        if (geteuid() == 0 && setuid(65534) != 0) _exit(2);
        _exit(holds() ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a login and a cron job of one user use the same locks") {
    const auto locks_in_state = [] { return Places::find().lock_folder == "/s/certcast/locks"; };
    CHECK(holds_for_a_user(locks_in_state,
                           {{"XDG_STATE_HOME", "/s"}, {"XDG_RUNTIME_DIR", "/run/user/7"}}));
    CHECK(holds_for_a_user(locks_in_state, {{"XDG_STATE_HOME", "/s"}}));
    const auto locks_in_home = [] {
        return Places::find().lock_folder == "/home/x/.local/state/certcast/locks";
    };
    CHECK(holds_for_a_user(locks_in_home, {{"HOME", "/home/x"}}));
    CHECK(holds_for_a_user([] { return Places::find().lock_folder.filename() == "locks"; }, {}));
}

TEST_CASE("caches go by the XDG rules, and nowhere without a home") {
    CHECK(holds_for_a_user([] { return Places::find().cache_folder == "/c/certcast"; },
                           {{"XDG_CACHE_HOME", "/c"}, {"HOME", "/h"}}));
    CHECK(holds_for_a_user([] { return Places::find().cache_folder == "/h/.cache/certcast"; },
                           {{"HOME", "/h"}}));
    CHECK(holds_for_a_user([] { return Places::find().cache_folder.empty(); }, {}));
}

TEST_CASE("a work folder is in memory where there is any, and a user's own") {
    CHECK(holds_for_a_user(
        [] {
            return Places::find().work_parent.string().find(std::to_string(geteuid())) !=
                   std::string::npos;
        },
        {{"XDG_RUNTIME_DIR", "/proc"}}));
}

TEST_CASE("worker program and plugins are found beside the program, others by the environment") {
    const auto bin = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    setenv("CERTCAST_PLUGIN_PATH", ":/opt/a::b:", 1);
    const Places places = Places::find();
    unsetenv("CERTCAST_PLUGIN_PATH");
    CHECK(places.worker_program == bin / "certcast-worker");
    CHECK(places.plugin_folders ==
          std::vector<std::filesystem::path>{"/opt/a", std::filesystem::absolute("b"),
                                             bin.parent_path() / "lib/certcast/plugins"});
}
