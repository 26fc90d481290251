#pragma once

#include "core/pipeline/read_pipeline.hpp"
#include "core/scheduler/attempt_services.hpp"

#include <boost/asio/awaitable.hpp>

namespace certcast {

/// Has the plugins find the targets of those deployments that `discovers`, as many at once as the
/// pipeline allows. What cannot be found is an error of that entry alone, and so is nothing.
boost::asio::awaitable<DiscoveredTargets> discover_targets(AttemptServices services,
                                                           const Pipeline& pipeline);

}  // namespace certcast
