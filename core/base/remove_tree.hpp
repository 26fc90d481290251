#pragma once

#include <filesystem>

namespace certcast {

/// Removes a folder with all that is in it, however deep and whatever its mode, and follows no
/// link out of it. False: something is left that could not be removed.
bool remove_tree(const std::filesystem::path& folder);

}  // namespace certcast
