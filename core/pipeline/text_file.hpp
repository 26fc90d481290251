#pragma once

#include "core/base/error.hpp"

#include <filesystem>
#include <string>

namespace certcast {

/// Reads a regular file of at most 4 MiB that holds UTF-8 text.
Result<std::string> read_text_file(const std::filesystem::path& file);

}  // namespace certcast
