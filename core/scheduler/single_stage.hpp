#pragma once

#include "core/scheduler/attempt_calls.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <vector>

namespace certcast {

/// Runs one stage of a deployment in a session of its own, outside any attempt.
boost::asio::awaitable<Outcome> run_single_stage(AttemptServices& services,
                                                 const Deployment& deployment, Stage stage,
                                                 Reach reach, AttemptCalls& calls);

/// Has `work` done for each of these numbers below `count`, as many at once as `parallel`. When the
/// caller is cancelled, so are those that are being done, and no other is begun.
boost::asio::awaitable<void> for_each_number(
    std::size_t count, std::size_t parallel,
    std::function<boost::asio::awaitable<void>(std::size_t)> work);

}  // namespace certcast
