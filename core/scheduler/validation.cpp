#include "core/scheduler/validation.hpp"

#include "core/scheduler/attempt.hpp"
#include "core/scheduler/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>

namespace certcast {

namespace asio = boost::asio;

namespace {

Finding failure(const std::string& message) {
    return {.severity = LogLevel::error, .summary = message};
}

asio::awaitable<std::vector<Finding>> validate(AttemptServices& services,
                                               const Deployment& deployment) {
    AttemptCalls calls(services, deployment, *deployment.descriptor, AttemptCalls::Role::deployer,
                       1, nullptr);
    SessionRequest start = request_for(deployment, 1);
    start.reach = Reach::validating;
    Result<std::unique_ptr<Session>> session =
        co_await services.sessions.start(std::move(start), calls);
    if (session.has_error()) co_return std::vector<Finding>{failure(session.error().text())};

    StageRequest request;
    request.stage = Stage::validate;
    request.timeout = deployment.timeouts[static_cast<std::size_t>(Stage::validate)];
    request.grace = deployment.grace;
    calls.begin(Stage::validate, services.clock.now() + request.timeout);
    Outcome outcome = co_await (*session)->run(std::move(request));
    if (outcome.succeeded()) {
        outcome = co_await (*session)->finish(
            deployment.timeouts[static_cast<std::size_t>(Stage::close)]);
    }
    std::vector<Finding> findings = std::move(calls.facts().findings);
    const bool said_so = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.severity == LogLevel::error;
    });
    if (!outcome.succeeded() && !said_so) findings.push_back(failure(reason_of(outcome)));
    co_return findings;
}

/// A few coroutines that take the next deployment until there is none.
struct Validation {
    AttemptServices services;
    std::vector<const Deployment*> deployments;
    std::vector<std::vector<Finding>> findings;
    std::deque<asio::cancellation_signal> stops;
    std::size_t next = 0;
    std::size_t working = 0;
    std::exception_ptr escaped;
    Event ended;
};

asio::awaitable<void> work(Validation& all) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    while (all.next < all.deployments.size() &&
           state.cancelled() == asio::cancellation_type::none) {
        const std::size_t mine = all.next++;
        try {
            all.findings[mine] = co_await validate(all.services, *all.deployments[mine]);
        } catch (const std::exception& exception) {
            all.findings[mine] = {
                failure(std::string("certcast itself failed: ") + exception.what())};
        }
    }
}

}  // namespace

std::string in_words(const Finding& finding) {
    std::string words = finding.path.empty() ? "" : finding.path + ": ";
    words += finding.summary;
    if (!finding.detail.empty()) words += " (" + finding.detail + ")";
    return words;
}

asio::awaitable<std::vector<DeploymentFinding>> validate_all(AttemptServices services,
                                                             const Pipeline& pipeline) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    Validation all{.services = services, .ended = Event(executor)};
    for (const Deployment& deployment : pipeline.deployments) {
        const bool can = !deployment.disabled && deployment.descriptor != nullptr &&
                         deployment.descriptor->has(Stage::validate);
        if (can) all.deployments.push_back(&deployment);
    }
    all.findings.resize(all.deployments.size());
    const std::size_t workers =
        std::min<std::size_t>(std::max(1u, pipeline.max_parallel), all.deployments.size());
    for (std::size_t i = 0; i < workers; ++i) {
        ++all.working;
        auto ended = [&all](std::exception_ptr escaped) {
            --all.working;
            if (escaped) all.escaped = escaped;
            if (all.working == 0) all.ended.set();
        };
        asio::co_spawn(
            executor, work(all),
            asio::bind_cancellation_slot(all.stops.emplace_back().slot(), std::move(ended)));
    }
    while (all.working > 0) {
        const bool ended = co_await all.ended.wait();
        if (ended) break;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        for (asio::cancellation_signal& stop : all.stops) {
            stop.emit(asio::cancellation_type::terminal);
        }
    }
    if (all.escaped) std::rethrow_exception(all.escaped);
    std::vector<DeploymentFinding> findings;
    for (std::size_t i = 0; i < all.deployments.size(); ++i) {
        for (Finding& finding : all.findings[i]) {
            findings.push_back({all.deployments[i], std::move(finding)});
        }
    }
    co_return findings;
}

}  // namespace certcast
