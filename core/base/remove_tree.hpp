#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>

namespace certcast {

/// Removes a folder with all that is in it, however deep and whatever its mode, and follows no
/// link out of it. False: something is left, because it could not be removed or because `most`
/// entries are gone already.
bool remove_tree(const std::filesystem::path& folder,
                 std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace certcast
