#pragma once

#include "core/base/error.hpp"

#include <filesystem>

namespace certcast {

/// Makes a folder that nobody else may enter, and the folders above it. One that is there already
/// has to be this user's own and closed to writing by others: whoever could write there could
/// exchange what is kept in it.
Result<void> make_private_folder(const std::filesystem::path& folder);

}  // namespace certcast
