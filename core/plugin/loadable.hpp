#pragma once

#include "core/base/error.hpp"

#include <filesystem>
#include <vector>

namespace certcast {

/// Looks at a plugin's library without loading it: whether only root and this user decide what is
/// in it and in the libraries that it brings along, whether it is one for this machine, and whether
/// it is a plugin. Returns their real paths, its own first. What it needs of the system's libraries
/// is left to the loader.
Result<std::vector<std::filesystem::path>> check_loadable(const std::filesystem::path& library);

/// The files outside the system's folders for libraries that loading this one opens: itself, and
/// what it, and what that, finds through its search path. Empty where check_loadable refuses it.
std::vector<std::filesystem::path> libraries_beside(const std::filesystem::path& library);

}  // namespace certcast
