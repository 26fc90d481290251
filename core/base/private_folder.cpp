#include "core/base/private_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace certcast {

Result<void> make_private_folder(const std::filesystem::path& folder) {
    std::filesystem::path so_far;
    int why_not = 0;
    for (const std::filesystem::path& part : std::filesystem::absolute(folder)) {
        so_far /= part;
        if (::mkdir(so_far.c_str(), 0700) == 0 || errno == EEXIST) continue;
        // Where nothing can be written, what is wanted may be there all the same.
        why_not = errno;
        if (why_not != EROFS) break;
    }
    struct stat status {};
    if (::lstat(folder.c_str(), &status) != 0) {
        return system_error("cannot make the folder", why_not != 0 ? why_not : errno,
                            so_far.string());
    }
    const bool own = S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
    if (own && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
    return Error{ErrorCode::denied,
                 "expected a folder of this user's own that nobody else may write to; remove it or "
                 "mend its owner and mode",
                 folder.string()};
}

}  // namespace certcast
