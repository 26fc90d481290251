#pragma once

#include "core/base/limits.hpp"
#include "core/pipeline/table_reader.hpp"

#include <optional>

namespace certcast {

/// The limits that are written in one place, of the defaults or of a deployment.
struct WrittenLimits {
    std::optional<std::uint64_t> memory;
    std::optional<Duration> cpu;
    std::optional<std::uint64_t> files;
    std::optional<std::uint64_t> processes;
    std::optional<std::uint64_t> output;
    std::optional<std::uint64_t> file_size;

    /// `limits` with what is written here in place of its own.
    Limits over(Limits limits) const;
};

/// Reads the key `limits`.
WrittenLimits read_limits(TableReader& reader, Diagnostics& diagnostics);

}  // namespace certcast
