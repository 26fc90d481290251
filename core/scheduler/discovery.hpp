#pragma once

#include "core/pipeline/read_pipeline.hpp"
#include "core/scheduler/attempt_services.hpp"

#include <boost/asio/awaitable.hpp>

namespace certcast {

/// Has the plugins find the targets of those deployments that `discovers`, as many at once as the
/// pipeline allows. Where that fails, or there is none, it is an error of that entry alone.
boost::asio::awaitable<DiscoveredTargets> discover_targets(AttemptServices services,
                                                           const Pipeline& pipeline);

}  // namespace certcast
