#include "core/cli/places.hpp"

#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace certcast {

namespace fs = std::filesystem;

namespace {

// Not from the environment of somebody who may be less privileged than this process.
std::string variable(const char* name) {
    const char* value = secure_getenv(name);
    return value == nullptr ? "" : value;
}

std::vector<fs::path> folders_in(std::string_view list) {
    std::vector<fs::path> folders;
    while (!list.empty()) {
        const std::size_t colon = list.find(':');
        const std::string_view folder = list.substr(0, colon);
        if (!folder.empty()) folders.emplace_back(fs::absolute(folder));
        list = colon == std::string_view::npos ? "" : list.substr(colon + 1);
    }
    return folders;
}

/// A folder of this user's own by the XDG rules.
fs::path user_folder(const char* xdg, const char* below_home) {
    const std::string own = variable(xdg);
    if (!own.empty()) return fs::path(own) / "certcast";
    const std::string home = variable("HOME");
    return home.empty() ? fs::path() : fs::path(home) / below_home / "certcast";
}

bool is_in_memory(const fs::path& folder) {
    struct statfs system {};
    return statfs(folder.c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC;
}

// In memory where that can be had: what plugins leave in a work folder may be a key.
fs::path folder_for_work(bool root) {
    if (root && is_in_memory("/run")) return "/run/certcast";
    const std::string runtime = root ? "" : variable("XDG_RUNTIME_DIR");
    if (!runtime.empty() && is_in_memory(runtime)) return fs::path(runtime) / "certcast";
    const std::string name = "certcast-" + std::to_string(geteuid());
    const fs::path shared = "/dev/shm";
    return (is_in_memory(shared) ? shared : fs::temp_directory_path()) / name;
}

}  // namespace

Places Places::find() {
    const bool root = geteuid() == 0;
    std::error_code failure;
    const fs::path program = fs::read_symlink("/proc/self/exe", failure);
    const fs::path bin = program.parent_path();
    Places places;
    places.worker_program = bin / "certcast-worker";
    places.plugin_folders = folders_in(variable("CERTCAST_PLUGIN_PATH"));
    places.plugin_folders.push_back(bin.parent_path() / "lib/certcast/plugins");
    places.work_parent = folder_for_work(root);
    places.cache_folder =
        root ? fs::path("/var/cache/certcast") : user_folder("XDG_CACHE_HOME", ".cache");
    // Not in the runtime folder, which a login has and a cron job has not: they would use different
    // locks.
    const fs::path state = user_folder("XDG_STATE_HOME", ".local/state");
    // Root's own place is the system's, unless whoever starts certcast names another.
    places.state_folder =
        root && variable("XDG_STATE_HOME").empty() ? fs::path("/var/lib/certcast") : state;
    places.lock_folder = root            ? fs::path("/run/certcast/locks")
                         : state.empty() ? places.work_parent / "locks"
                                         : state / "locks";
    return places;
}

}  // namespace certcast
