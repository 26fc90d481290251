#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/worker/session.hpp"

#include <vector>

namespace certcast {

/// The probe's configuration: an OBJECT whose "checks" are what the deployment's probes say.
Value probe_config(const Deployment& deployment, const std::vector<ProbeCheck>& checks);

/// Enough for all of the checks, one after the other.
Duration probe_timeout(const std::vector<ProbeCheck>& checks);

/// Those for which it is known which certificate was served before.
std::vector<ProbeCheck> checks_of_former(const Deployment& deployment,
                                         const std::vector<Live>& former);

}  // namespace certcast
