#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/pipeline/table_reader.hpp"

#include <array>
#include <optional>

namespace certcast {

/// How long things may take and how often they are tried, as far as one table says so.
struct Timing {
    std::array<std::optional<Duration>, stage_count> timeouts;
    std::optional<Duration> grace;
    std::optional<std::uint32_t> attempts;
    std::optional<Duration> backoff;
    std::optional<Duration> max_backoff;
    std::optional<Duration> budget;
};

/// Reads timeout, timeouts, grace and retry of [defaults] or of a deployment.
Timing read_timing(TableReader& reader, Diagnostics& diagnostics);

/// Sets timeouts, grace and retry. What the entry says wins over the defaults, these over the
/// descriptor (which may be nullptr), and that over the host's own.
void apply_timing(const Timing& defaults, const Timing& entry, const Descriptor* descriptor,
                  Deployment& deployment);

}  // namespace certcast
