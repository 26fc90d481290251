#include "core/base/folder_lock.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <string>

namespace certcast {

namespace fs = std::filesystem;

namespace {

/// None where somebody else has it.
Fd lock_of(const fs::path& folder) {
    Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
    return fd;
}

}  // namespace

Result<LockedFolder> make_locked_folder(const fs::path& parent, std::string_view prefix) {
    constexpr int most_tries = 16;
    for (int tries = 0; tries < most_tries; ++tries) {
        std::string path = (parent / prefix).string() + "XXXXXX";
        if (::mkdtemp(path.data()) == nullptr) {
            return system_error("cannot make a folder", errno, path);
        }
        // Until it is locked it looks like one that was left behind, and may be taken for it.
        Fd lock = lock_of(path);
        if (lock && fs::exists(path)) return LockedFolder{std::move(path), std::move(lock)};
    }
    return Error{ErrorCode::io, "cannot lock a folder in it", parent.string()};
}

Fd lock_folder(const fs::path& folder, Duration patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    Fd lock = lock_of(folder);
    while (!lock && std::chrono::steady_clock::now() < until) {
        ::poll(nullptr, 0, 2);
        lock = lock_of(folder);
    }
    return lock;
}

std::vector<LockedFolder> abandoned_folders(const fs::path& parent, std::string_view prefix) {
    std::vector<LockedFolder> found;
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(parent, failure)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        if (Fd lock = lock_of(entry.path())) found.push_back({entry.path(), std::move(lock)});
    }
    return found;
}

}  // namespace certcast
