#pragma once

#include "core/base/error.hpp"

#include <string>
#include <vector>

namespace certcast::program {

/// Gives this process mounts of its own, all of which can only be read but for these folders.
Result<void> mount_read_only_but(const std::vector<std::string>& writable);

}  // namespace certcast::program
