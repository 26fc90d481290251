#pragma once

#include "core/scheduler/certificate_store.hpp"
#include "core/scheduler/change_budget.hpp"
#include "core/scheduler/clock.hpp"
#include "core/scheduler/deployment_memory.hpp"
#include "core/scheduler/reload_gathering.hpp"
#include "core/scheduler/run_observer.hpp"
#include "core/scheduler/secret_store.hpp"
#include "core/scheduler/shared_answers.hpp"

#include <functional>

namespace certcast {

/// What attempts use, all of it shared by the whole run and outliving it.
struct AttemptServices {
    SessionFactory& sessions;
    CommandRunner& commands;
    CertificateStore& certificates;
    SecretStore& secrets;
    ReloadGathering& reloads;
    SharedAnswers& answers;
    DeploymentMemory& memory;
    Clock& clock;
    RunObserver& observer;
    const Library* probe_library = nullptr;
    const Descriptor* probe = nullptr;  ///< there where a deployment has probes
    Sandbox probe_sandbox = Sandbox::on;
    bool force = false;               ///< deploy what is as wanted already, too
    bool dry_run = false;             ///< change nothing: what would be changed is deferred
    ChangeBudget* changes = nullptr;  ///< nullptr: as many as there are
    /// Of what may not be changed and is half-way.
    std::function<bool(const Deployment&)> under_way_elsewhere = [](const Deployment&) {
        return false;
    };
};

/// What a session is told of its deployment, whichever deployer runs in it.
SessionRequest request_for(const Deployment& deployment, std::uint32_t attempt);
/// A stage with the deployment's timeout for it, and its grace.
StageRequest request_for(const Deployment& deployment, Stage stage);

}  // namespace certcast
