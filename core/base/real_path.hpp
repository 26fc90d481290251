#pragma once

#include <filesystem>

namespace certcast {

/// Without symlinks, as far as it is there; itself where nobody can tell.
inline std::filesystem::path real_path(const std::filesystem::path& path) {
    std::error_code failure;
    std::filesystem::path real = std::filesystem::weakly_canonical(path, failure);
    return failure ? path : real;
}

}  // namespace certcast
