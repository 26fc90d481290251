#include "core/scheduler/backoff.hpp"

#include <algorithm>

namespace certcast {

Duration backoff(const RetryPolicy& policy, std::uint32_t attempt,
                 std::optional<Duration> retry_after, std::mt19937_64& random) {
    Duration ceiling = policy.backoff;
    for (std::uint32_t i = 1; i < attempt && ceiling < policy.max_backoff; ++i) ceiling *= 2;
    ceiling = std::max(Duration(0), std::min(ceiling, policy.max_backoff));
    std::uniform_int_distribution<Duration::rep> any(0, ceiling.count());
    return std::max(Duration(any(random)), retry_after.value_or(Duration(0)));
}

}  // namespace certcast
