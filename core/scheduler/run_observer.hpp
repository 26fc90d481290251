#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/run_report.hpp"
#include "core/worker/session.hpp"

#include <optional>
#include <string_view>

namespace certcast {

/// Hears of everything that happens in a run, as it happens. Must not throw and must not block for
/// long: it is called from the one thread that runs everything. Every method may be left out.
class RunObserver {
public:
    virtual ~RunObserver() = default;

    virtual void run_started(const Pipeline&, const RunReport&) {}
    virtual void attempt_started(const Deployment&, std::uint32_t /*attempt*/) {}
    /// A name_of(Stage), or "probe".
    virtual void stage(const Deployment&, std::uint32_t /*attempt*/, std::string_view /*stage*/) {}
    virtual void log(const Deployment&, const LogLine&) {}
    virtual void progress(const Deployment&, std::uint32_t /*permille*/,
                          std::string_view /*what*/) {}
    /// For a lock, a slot, before another attempt, or because the plugin asked to.
    virtual void waiting(const Deployment&, std::string_view /*why*/,
                         std::optional<Duration> /*how_long*/) {}
    virtual void attempt_finished(const Deployment&, std::uint32_t /*attempt*/, const Outcome&) {}
    virtual void deployment_finished(const DeploymentReport&) {}
    virtual void run_finished(const RunReport&) {}
};

}  // namespace certcast
