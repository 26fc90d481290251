#include "core/scheduler/validation.hpp"

#include "core/scheduler/attempt_calls.hpp"
#include "core/scheduler/for_each_number.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

Finding failure(const std::string& message) {
    return {.severity = LogLevel::error, .summary = message};
}

bool says_error(const AttemptCalls& calls) {
    const std::vector<Finding>& findings = calls.facts().findings;
    return std::any_of(findings.begin(), findings.end(),
                       [](const Finding& finding) { return finding.severity == LogLevel::error; });
}

/// Validates deployments in processes that do so one after the other.
class Validation {
public:
    explicit Validation(AttemptServices& services) : services_(services) {}

    asio::awaitable<std::vector<Finding>> validate(const Deployment& deployment);

private:
    /// Made for one deployment and, if that goes well, taken by others.
    struct Worker {
        std::unique_ptr<AttemptCalls> calls;
        std::unique_ptr<Session> session;  ///< tells `calls`
        bool is_fresh = true;
    };

    asio::awaitable<Outcome> validate(const Deployment& deployment, Worker& worker);

    AttemptServices& services_;
    std::vector<Worker> idle_;
};

asio::awaitable<Outcome> Validation::validate(const Deployment& deployment, Worker& worker) {
    auto calls =
        std::make_unique<AttemptCalls>(services_, deployment, *deployment.descriptor,
                                       AttemptCalls::Role::deployer, std::uint32_t{1}, nullptr);
    SessionRequest request = request_for(deployment, 1);
    request.reach = Reach::validating;
    worker.is_fresh = !worker.session || !worker.session->take(request, *calls);
    if (worker.is_fresh) worker.session.reset();
    worker.calls = std::move(calls);
    if (worker.is_fresh) {
        auto started = co_await services_.sessions.start(std::move(request), *worker.calls);
        if (!started) {
            co_return Outcome::of(Ended::setup_failed, Stage::validate, Category::internal,
                                  started.error().text());
        }
        worker.session = std::move(*started);
    }
    StageRequest stage = request_for(deployment, Stage::validate);
    worker.calls->begin(Stage::validate, services_.clock.now() + stage.timeout);
    Outcome outcome = co_await worker.session->run(std::move(stage));
    // To the host it is a part of `validate`, which grants nothing that matters.
    StageRequest close = request_for(deployment, Stage::close);
    if (outcome.succeeded()) outcome = co_await worker.session->run(std::move(close));
    co_return outcome;
}

asio::awaitable<std::vector<Finding>> Validation::validate(const Deployment& deployment) {
    Worker worker;
    if (!idle_.empty()) {
        worker = std::move(idle_.back());
        idle_.pop_back();
    }
    Outcome outcome = co_await validate(deployment, worker);
    const bool is_good = outcome.succeeded() && !says_error(*worker.calls);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (!is_good && !worker.is_fresh && state.cancelled() == asio::cancellation_type::none) {
        // It may be the fault of those before it.
        worker.session.reset();
        outcome = co_await validate(deployment, worker);
    }
    std::vector<Finding>& findings = worker.calls->facts().findings;
    if (!outcome.succeeded() && !says_error(*worker.calls)) {
        findings.push_back(failure(reason_of(outcome)));
    }
    std::vector<Finding> found = std::move(findings);
    if (outcome.succeeded()) idle_.push_back(std::move(worker));
    co_return found;
}

}  // namespace

std::string in_words(const Finding& finding) {
    std::string words = finding.path.empty() ? "" : finding.path + ": ";
    words += finding.summary;
    if (!finding.detail.empty()) words += " (" + finding.detail + ")";
    return words;
}

asio::awaitable<std::vector<DeploymentFinding>> validate_all(AttemptServices services,
                                                             Pipeline& pipeline) {
    co_await asio::this_coro::throw_if_cancelled(false);
    std::vector<Deployment*> deployments;
    for (Deployment& deployment : pipeline.deployments) {
        const bool can = deployment.can_run() && deployment.descriptor->has(Stage::validate);
        if (can) deployments.push_back(&deployment);
    }
    Validation validation(services);
    std::vector<std::vector<Finding>> found(deployments.size());
    const auto validate_one = [&](std::size_t mine) -> asio::awaitable<void> {
        try {
            found[mine] = co_await validation.validate(*deployments[mine]);
        } catch (const std::exception& exception) {
            found[mine] = {failure(std::string("certcast itself failed: ") + exception.what())};
        }
    };
    // It is computing and nothing else, but for one that hangs: more at once would only be more
    // processes.
    const std::size_t useful = 4 * std::max(std::thread::hardware_concurrency(), 2u);
    co_await for_each_number(deployments.size(),
                             std::min<std::size_t>(useful, pipeline.max_parallel), validate_one);
    std::vector<DeploymentFinding> findings;
    for (std::size_t i = 0; i < deployments.size(); ++i) {
        for (Finding& finding : found[i]) findings.push_back({deployments[i], std::move(finding)});
    }
    co_return findings;
}

}  // namespace certcast
