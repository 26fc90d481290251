#include "core/cli/run_context.hpp"

#include "core/scheduler/discovery.hpp"
#include "core/scheduler/validation.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <iostream>

namespace certcast {

namespace asio = boost::asio;

namespace {

DiscoveredTargets discover(Pipeline& pipeline, const Places& places, Redactor& redactor) {
    asio::io_context io(1);
    RunContext context(io, places, pipeline, redactor, DeploymentMemory(), Reach::looking);
    RunObserver nobody;
    AttemptServices services = context.services(nobody);
    services.dry_run = true;
    DiscoveredTargets found;
    auto ended = [&](const std::exception_ptr& exception, DiscoveredTargets result) {
        io.stop();
        if (exception) std::rethrow_exception(exception);
        found = std::move(result);
    };
    asio::co_spawn(io, discover_targets(services, pipeline), std::move(ended));
    io.run();
    return found;
}

}  // namespace

std::optional<Pipeline> read_with_targets(const std::filesystem::path& file, Catalog& catalog,
                                          const Places& places, Redactor& redactor,
                                          const std::function<void(Pipeline&)>& choose) {
    const TextFilter filter(redactor);
    const FindDeployer find = [&catalog](const std::string& id) { return catalog.find(id); };
    PipelineReading reading = read_pipeline(file, find);
    if (reading.pipeline) {
        Pipeline searching = *reading.pipeline;
        if (choose) choose(searching);
        const auto is_done = [](const Deployment& one) { return !one.discovers || !one.can_run(); };
        std::erase_if(searching.deployments, is_done);
        if (!searching.deployments.empty()) {
            const DiscoveredTargets found = discover(searching, places, redactor);
            reading = read_pipeline(file, find, nullptr, &found);
        }
    }
    return explained(std::move(reading), catalog, filter);
}

bool tell_undiscovered(const Pipeline& pipeline, const TextFilter& filter) {
    bool some = false;
    for (const Deployment& deployment : pipeline.deployments) {
        if (!deployment.discovers || deployment.unusable.empty()) continue;
        some = true;
        std::cerr << filter.line(deployment.location.text() + ": warning: " + deployment.name +
                                 ": " + deployment.unusable)
                  << '\n';
    }
    return some;
}

asio::awaitable<bool> inputs_are_wrong(RunContext& context, Redactor& redactor,
                                       CertificateStore::Commands commands) {
    const TextFilter filter(redactor);
    const auto problems = co_await context.certificates.load(context.pipeline, context.secrets,
                                                             redactor, BundleRules{}, commands);
    if (context.stopped) co_return false;
    const bool bad_certificates = print_diagnostics(problems, filter);
    const bool may_run_commands = commands == CertificateStore::Commands::run;
    if (bad_certificates && may_run_commands) co_return true;

    RunObserver nobody;  // what plugins print while they look at their configuration
    const auto findings = co_await validate_all(context.services(nobody), context.pipeline);
    if (context.stopped) co_return false;
    bool wrong = bad_certificates;
    for (const auto& [deployment, finding] : findings) {
        const bool error = finding.severity == LogLevel::error;
        if (error && deployment->is_found) {
            deployment->unusable = in_words(finding);
        } else {
            wrong = wrong || error;
        }
        std::cerr << deployment->location.text() << ": " << (error ? "error: " : "warning: ")
                  << filter.line(deployment->name + ": " + in_words(finding)) << '\n';
    }
    co_return wrong;
}

}  // namespace certcast
