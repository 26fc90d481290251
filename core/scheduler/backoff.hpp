#pragma once

#include "core/pipeline/pipeline.hpp"

#include <cstdint>
#include <optional>
#include <random>

namespace certcast {

/// How long to wait after failed attempt number `attempt` (from 1): anything up to an exponentially
/// growing ceiling ("full jitter"), and never less than what the other side asked for.
Duration backoff(const RetryPolicy& policy, std::uint32_t attempt,
                 std::optional<Duration> retry_after, std::mt19937_64& random);

}  // namespace certcast
