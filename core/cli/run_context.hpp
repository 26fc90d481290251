#pragma once

#include "core/cli/pipeline_context.hpp"
#include "core/scheduler/staged_attempt.hpp"
#include "core/worker/worker_host.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>

namespace certcast {

/// Everything that the attempts of one pipeline share, put together.
struct RunContext {
    /// `reach`: of its attempts.
    RunContext(boost::asio::io_context& io, const Places& places, Pipeline& read,
               Redactor& redactor, DeploymentMemory remembering = DeploymentMemory(),
               Reach reach = Reach::all)
        : pipeline(read),
          host(io.get_executor(), places.worker_program, places.work_parent),
          secrets(io.get_executor(), read, host, redactor),
          reloads(io.get_executor(), host, clock),
          answers(io.get_executor(), clock),
          memory(std::move(remembering)) {
        for (const Deployment& deployment : pipeline.deployments) {
            if (deployment.can_run()) expect(deployment, reach);
        }
    }

    /// The sandboxes of all attempts with a plugin are made ready together.
    void expect(const Deployment& deployment, Reach reach) {
        SessionRequest request = request_for(deployment, 1);
        request.reach = reach;
        host.expect(request);
        request.reach = Reach::validating;
        if (deployment.descriptor->has(Stage::validate)) host.expect(request);
    }

    AttemptServices services(RunObserver& observer) {
        return {.sessions = host,
                .commands = host,
                .certificates = certificates,
                .secrets = secrets,
                .reloads = reloads,
                .answers = answers,
                .memory = memory,
                .clock = clock,
                .observer = observer,
                .probe_library = pipeline.probe_library,
                .probe = pipeline.probe,
                .probe_sandbox = pipeline.probe_sandbox};
    }

    Pipeline& pipeline;
    SystemClock clock;
    WorkerHost host;
    SecretStore secrets;
    ReloadGathering reloads;
    SharedAnswers answers;
    CertificateStore certificates;
    DeploymentMemory memory;
    bool stopped = false;  ///< by whoever started it
};

/// Reads a pipeline, has its plugins find the targets that they are to find, and prints what is
/// wrong with it. Those that could not be found leave a deployment that cannot run. nullopt: too
/// much is wrong to go on. `choose` takes away those deployments whose targets need not be found.
std::optional<Pipeline> read_with_targets(const std::filesystem::path& file, Catalog& catalog,
                                          const Places& places, Redactor& redactor,
                                          const std::function<void(Pipeline&)>& choose = {});

/// Prints why targets could not be found. True: there are such.
bool tell_undiscovered(const Pipeline& pipeline, const TextFilter& filter);

/// Reads the certificates, lets the plugins look at their configuration, and prints what they find.
/// True: something is wrong, and not with a target that a plugin has found: that one cannot run
/// then. When the context is stopped and the calling coroutine cancelled, it ends early and says
/// nothing.
boost::asio::awaitable<bool> inputs_are_wrong(RunContext& context, Redactor& redactor,
                                              CertificateStore::Commands commands);

}  // namespace certcast
