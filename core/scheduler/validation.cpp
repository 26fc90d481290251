#include "core/scheduler/validation.hpp"

#include "core/scheduler/single_stage.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

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
    const Outcome outcome =
        co_await run_single_stage(services, deployment, Stage::validate, Reach::validating, calls);
    std::vector<Finding> findings = std::move(calls.facts().findings);
    const bool said_so = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
        return finding.severity == LogLevel::error;
    });
    if (!outcome.succeeded() && !said_so) findings.push_back(failure(reason_of(outcome)));
    co_return findings;
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
    std::vector<std::vector<Finding>> found(deployments.size());
    const auto validate_one = [&](std::size_t mine) -> asio::awaitable<void> {
        try {
            found[mine] = co_await validate(services, *deployments[mine]);
        } catch (const std::exception& exception) {
            found[mine] = {failure(std::string("certcast itself failed: ") + exception.what())};
        }
    };
    co_await for_each_number(deployments.size(), pipeline.max_parallel, validate_one);
    std::vector<DeploymentFinding> findings;
    for (std::size_t i = 0; i < deployments.size(); ++i) {
        for (Finding& finding : found[i]) findings.push_back({deployments[i], std::move(finding)});
    }
    co_return findings;
}

}  // namespace certcast
