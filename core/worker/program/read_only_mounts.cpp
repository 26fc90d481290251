#include "core/worker/program/read_only_mounts.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace certcast::program {

namespace {

struct Folder {
    std::string path;
    std::uint64_t mount = 0;
};

/// The real paths of those that can be written now, without those that lie in another of them on
/// the same mount: a mount of their own would keep files from being renamed from one to the other.
std::vector<Folder> outermost(const std::vector<std::string>& paths) {
    std::vector<Folder> folders;
    for (const std::string& path : paths) {
        std::error_code failure;
        const std::string real = std::filesystem::canonical(path, failure).string();
        struct statvfs system {};
        struct statx status {};
        if (failure || statvfs(real.c_str(), &system) != 0 || (system.f_flag & ST_RDONLY) != 0 ||
            statx(AT_FDCWD, real.c_str(), 0, STATX_MNT_ID, &status) != 0) {
            continue;
        }
        folders.push_back({real, status.stx_mnt_id});
    }
    std::sort(folders.begin(), folders.end(), [](const Folder& a, const Folder& b) {
        return std::make_pair(a.path.size(), a.path) < std::make_pair(b.path.size(), b.path);
    });
    std::vector<Folder> outer;
    for (const Folder& folder : folders) {
        const auto holds = [&folder](const Folder& other) {
            const std::string prefix = other.path == "/" ? other.path : other.path + "/";
            return folder.mount == other.mount &&
                   (folder.path == other.path || folder.path.starts_with(prefix));
        };
        if (std::none_of(outer.begin(), outer.end(), holds)) outer.push_back(folder);
    }
    return outer;
}

}  // namespace

Result<void> mount_read_only_but(const std::vector<std::string>& writable) {
    const auto failed = [](const std::string& what, const std::string& where = {}) -> Error {
        return system_error(what, errno, where);
    };
    if (unshare(CLONE_NEWNS) != 0) return failed("cannot have mounts of its own");
    // What the system mounts and unmounts from now on goes on reaching this process, not back.
    if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
        return failed("cannot detach mounts from the system's");
    }
    const std::vector<Folder> folders = outermost(writable);
    for (const auto& [folder, on] : folders) {
        if (mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
            return failed("cannot mount a folder that may be written", folder);
        }
    }
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof read_only) != 0) {
        return failed("cannot make mounts read-only");
    }
    mount_attr writing{};
    writing.attr_clr = MOUNT_ATTR_RDONLY;
    for (const auto& [folder, on] : folders) {
        if (mount_setattr(AT_FDCWD, folder.c_str(), 0, &writing, sizeof writing) != 0) {
            return failed("cannot make a mount writable", folder);
        }
    }
    return {};
}

}  // namespace certcast::program
