#pragma once

#include "core/base/duration.hpp"
#include "core/base/error.hpp"
#include "core/base/fd.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

namespace certcast {

/// A folder that its maker keeps locked as long as it lives, so that others can tell what those who
/// were killed have left behind.
struct LockedFolder {
    std::filesystem::path path;
    Fd lock;
};

/// Makes one in `parent`, with six letters behind `prefix`.
Result<LockedFolder> make_locked_folder(const std::filesystem::path& parent,
                                        std::string_view prefix);

/// Locks a folder that others lock, too, for a short time. None: one of them kept it longer than
/// this, or there is no such folder.
Fd lock_folder(const std::filesystem::path& folder, Duration patience);

/// Those that begin like this and belong to nobody any more, now locked by the caller.
std::vector<LockedFolder> abandoned_folders(const std::filesystem::path& parent,
                                            std::string_view prefix);

}  // namespace certcast
