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

fs::path user_cache(bool root) {
    if (root) return "/var/cache/certcast";
    const std::string cache = variable("XDG_CACHE_HOME");
    if (!cache.empty()) return fs::path(cache) / "certcast";
    const std::string home = variable("HOME");
    return home.empty() ? fs::path() : fs::path(home) / ".cache/certcast";
}

fs::path run_folder(bool root) {
    if (root) return "/run/certcast";
    const std::string runtime = variable("XDG_RUNTIME_DIR");
    if (!runtime.empty()) return fs::path(runtime) / "certcast";
    return fs::temp_directory_path() / ("certcast-" + std::to_string(getuid()));
}

// In memory where that can be had: what plugins leave in a work folder may be a key.
fs::path work_folder_root(bool root) {
    const std::string name = "work-" + std::to_string(getpid());
    struct statfs system {};
    const fs::path folder = run_folder(root);
    const bool in_memory =
        statfs(folder.parent_path().c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC;
    const fs::path shared = "/dev/shm";
    if (in_memory || statfs(shared.c_str(), &system) != 0 || system.f_type != TMPFS_MAGIC) {
        return folder / name;
    }
    return shared / ("certcast-" + std::to_string(geteuid()) + "-" + name);
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
    places.cache_folder = user_cache(root);
    places.lock_folder = run_folder(root) / "locks";
    places.work_root = work_folder_root(root);
    return places;
}

}  // namespace certcast
