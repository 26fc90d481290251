#pragma once

#include "core/journal/history.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/certificate_store.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace certcast {

/// What has succeeded when it was tried last, as the pipeline says it now and with the certificates
/// that it has now: the run, by deployment.
Result<std::map<std::string, std::string>> done_in_runs(
    const History& history, const std::map<std::string, HalfWay>& half_way,
    const Pipeline& pipeline, const CertificateStore& certificates);

/// The memory's keys of all deployments, and "ENTRY/" where nobody knows the targets of an entry.
std::set<std::string> memory_keys(const Pipeline& pipeline);

/// What runs of this pipeline have left half-way and no deployment of `keys` would make good.
std::vector<HalfWay> unclaimed(const std::map<std::string, HalfWay>& half_way,
                               const Pipeline& pipeline, const std::set<std::string>& keys);

}  // namespace certcast
