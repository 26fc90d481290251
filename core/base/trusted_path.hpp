#pragma once

#include "core/base/error.hpp"

#include <filesystem>

namespace certcast {

/// The real path of a file or folder whose content and name nobody but root and this user decides.
/// Every folder and link on the way is looked at: owned by root or this user, and not writable by
/// others unless it is a sticky folder. An error names the one that is not, and how to mend it.
Result<std::filesystem::path> trusted_path(const std::filesystem::path& path);

/// The same of a folder in which files will be looked for by name: not even sticky, since others
/// could make what is looked for. One that is not there, and that only root or this user could
/// make, is ErrorCode::not_found.
Result<std::filesystem::path> trusted_folder_to_search(const std::filesystem::path& folder);

}  // namespace certcast
