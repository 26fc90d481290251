#pragma once

#include "core/base/error.hpp"
#include "core/base/secret.hpp"

#include <sys/stat.h>

#include <filesystem>

namespace certcast {

struct RegularFile {
    Secret content;
    mode_t mode = 0;
};

/// Reads a regular file of at most `most_mebibytes`, without waiting for anything: a FIFO or a
/// device is an error. Messages name the path, never what is in it.
Result<RegularFile> read_regular_file(const std::filesystem::path& path,
                                      std::size_t most_mebibytes);

}  // namespace certcast
