#include "core/worker/work_root.hpp"

#include "core/base/private_folder.hpp"
#include "core/base/remove_tree.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "work-";

/// The lock of a folder that nobody else has locked; none where somebody has.
Fd lock_of(const fs::path& folder) {
    Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
    return fd;
}

void remove_what_killed_hosts_left(const fs::path& parent) {
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(parent, failure)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        const Fd lock = lock_of(entry.path());
        if (lock) remove_tree(entry.path());
    }
}

}  // namespace

Result<WorkRoot> WorkRoot::make(const fs::path& parent) {
    if (auto made = make_private_folder(parent); !made) return made.error();
    if (::geteuid() == 0) ::chmod(parent.c_str(), 0711);
    remove_what_killed_hosts_left(parent);
    constexpr int most_tries = 16;
    for (int tries = 0; tries < most_tries; ++tries) {
        std::string path = (parent / prefix).string() + "XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) {
            return system_error("cannot make the folder for work folders", errno, path);
        }
        // Workers of other users have their folders in it, and find nothing else.
        if (::geteuid() == 0) ::chmod(path.c_str(), 0711);
        // Until it is locked it looks like one that was left behind, and may be taken for it.
        Fd lock = lock_of(path);
        if (lock && fs::exists(path)) return WorkRoot(std::move(path), std::move(lock));
    }
    return Error{ErrorCode::io, "cannot lock a folder for work folders", parent.string()};
}

WorkRoot::~WorkRoot() {
    if (lock_) remove_tree(path_);
}

}  // namespace certcast
