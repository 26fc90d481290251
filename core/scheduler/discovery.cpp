#include "core/scheduler/discovery.hpp"

#include "core/pipeline/targets.hpp"
#include "core/scheduler/attempt_calls.hpp"
#include "core/scheduler/for_each_number.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <set>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

Error failure(const std::string& why) {
    return {ErrorCode::invalid, "its targets were not found: " + why, {}};
}

/// A name ends up in paths and commands of the pipeline, and whoever has found it is not trusted.
bool is_harmless(const std::string& name) {
    const auto is_fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.' || c == ':' || c == '@';
    };
    return is_target_name(name) && name.front() != '-' && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), is_fine);
}

Result<std::vector<std::string>> targets_in(const AttemptCalls& calls) {
    if (calls.lost_outputs()) return failure("the plugin names more than are kept, 1,000");
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const auto& [name, value] : calls.facts().outputs) {
        if (!is_harmless(name)) {
            return failure("the plugin names \"" + name +
                           "\", which is no name for a target: expected letters, digits and "
                           "\"-_.:@\", neither - nor . in front");
        }
        if (seen.insert(name).second) names.push_back(name);
    }
    if (names.empty()) return failure("there is none; what it looks for is in its config");
    return names;
}

asio::awaitable<Outcome> run_discover(AttemptServices& services, const Deployment& deployment,
                                      AttemptCalls& calls) {
    SessionRequest start = request_for(deployment, 1);
    start.reach = Reach::looking;
    Result<std::unique_ptr<Session>> session =
        co_await services.sessions.start(std::move(start), calls);
    if (session.has_error()) {
        co_return Outcome::of(Ended::setup_failed, Stage::discover, Category::internal,
                              session.error().text());
    }
    StageRequest request = request_for(deployment, Stage::discover);
    calls.begin(Stage::discover, services.clock.now() + request.timeout);
    Outcome outcome = co_await (*session)->run(std::move(request));
    if (outcome.succeeded()) {
        outcome = co_await (*session)->finish(request_for(deployment, Stage::close).timeout);
    }
    co_return outcome;
}

asio::awaitable<Result<std::vector<std::string>>> discover(AttemptServices& services,
                                                           const Deployment& deployment) {
    try {
        AttemptCalls calls(services, deployment, *deployment.descriptor,
                           AttemptCalls::Role::deployer, 1, nullptr);
        const Outcome outcome = co_await run_discover(services, deployment, calls);
        if (!outcome.succeeded()) co_return failure(reason_of(outcome));
        co_return targets_in(calls);
    } catch (const std::exception& exception) {
        co_return failure(std::string("certcast itself failed: ") + exception.what());
    }
}

}  // namespace

asio::awaitable<DiscoveredTargets> discover_targets(AttemptServices services,
                                                    const Pipeline& pipeline) {
    std::vector<const Deployment*> deployments;
    for (const Deployment& deployment : pipeline.deployments) {
        if (deployment.discovers && deployment.can_run()) deployments.push_back(&deployment);
    }
    DiscoveredTargets found;
    const auto discover_one = [&](std::size_t mine) -> asio::awaitable<void> {
        const Deployment& deployment = *deployments[mine];
        Result<std::vector<std::string>> names = co_await discover(services, deployment);
        found.emplace(deployment.entry, std::move(names));
    };
    co_await for_each_number(deployments.size(), pipeline.max_parallel, discover_one);
    co_return found;
}

}  // namespace certcast
