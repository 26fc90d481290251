#include "core/scheduler/deployment_memory.hpp"

#include "core/certificate/certificate_bundle.hpp"
#include "core/scheduler/attempt_services.hpp"
#include "core/scheduler/probe_request.hpp"
#include "core/worker/call_wire.hpp"

namespace certcast {

namespace asio = boost::asio;

std::string memory_key(const Deployment& deployment) {
    std::string key = deployment.plugin;
    if (deployment.identities.empty()) {
        return key + '\n' + deployment.location.file + '\n' + deployment.name;
    }
    for (const std::string& identity : deployment.identities) key += '\n' + identity;
    return key;
}

std::string digest_of(const Deployment& deployment) {
    if (deployment.descriptor == nullptr) return {};  // its plugin cannot be used
    SessionRequest asked = request_for(deployment, 1);
    asked.config.entries.push_back({"probes", probe_config(deployment, deployment.probes)});
    return to_hex(sha256_of(deployment.plugin + '\n' + std::string(encode_job(asked, "").text())));
}

namespace {

Error left_in_the_way(const HalfWay& other) {
    const std::string there =
        other.places.empty() ? "there" : "at " + without_plugin(other.places.front());
    return {ErrorCode::conflict,
            "what the deployment " + other.deployment +
                (other.pipeline_file.empty() ? "" : " of " + other.pipeline_file) + " has begun " +
                there +
                " is half-way: run that pipeline as it was then, or, where it is not to be undone "
                "any more, `certcast forget " +
                other.deployment + "`",
            {}};
}

}  // namespace

asio::awaitable<Result<void>> DeploymentMemory::recall(const Deployment& deployment) {
    if (journal_ == nullptr) co_return Result<void>();
    const std::string key = memory_key(deployment);
    const bool is_own = use_ != Use::all && unsettled_.contains(key);
    if (is_own) co_return Result<void>();
    Result<Remembered> found = co_await journal_->recall(key, deployment.identities);
    if (!found) co_return found.error();
    if (found->in_the_way) co_return left_in_the_way(*found->in_the_way);
    if (found->unsettled.begun && use_ == Use::keeping_away) {
        co_return Error{ErrorCode::conflict,
                        "an earlier run has left it half-way, which only a run with the journal "
                        "can make good: run it without --no-journal",
                        {}};
    }
    unsettled_.erase(key);
    states_.erase(key);
    if (found->unsettled.begun) unsettled_.emplace(key, std::move(found->unsettled));
    if (found->state) states_.emplace(key, std::move(*found->state));
    co_return Result<void>();
}

const std::vector<Step>& DeploymentMemory::steps(const std::string& key) const {
    static const std::vector<Step> none;
    const auto found = unsettled_.find(key);
    return found == unsettled_.end() ? none : found->second.steps;
}

const std::vector<Live>& DeploymentMemory::former(const std::string& key) const {
    static const std::vector<Live> nothing;
    const auto found = unsettled_.find(key);
    return found == unsettled_.end() ? nothing : found->second.former;
}

bool DeploymentMemory::is_proven(const std::string& key) const {
    const auto found = unsettled_.find(key);
    return found != unsettled_.end() && found->second.proven;
}

HalfWay DeploymentMemory::beginning_of(const Deployment& deployment) const {
    return {memory_key(deployment), deployment.name, pipeline_file_, now_in_ms(),
            deployment.identities};
}

asio::awaitable<Result<void>> DeploymentMemory::begin(const Deployment& deployment,
                                                      const std::vector<Live>& former) {
    const std::string key = memory_key(deployment);
    if (is_unsettled(key)) co_return Result<void>();
    HalfWay begun = beginning_of(deployment);
    const std::int64_t since = begun.since;
    if (writes()) {
        const Result<void> written = co_await journal_->begin(std::move(begun), former);
        if (!written) co_return written;
    }
    unsettled_[key] = {.begun = true, .since = since, .steps = {}, .former = former};
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::add_step(const Deployment& deployment,
                                                         const std::vector<Live>& former,
                                                         Step step) {
    const std::string key = memory_key(deployment);
    if (!is_unsettled(key)) {
        HalfWay begun = beginning_of(deployment);
        const std::int64_t since = begun.since;
        if (writes()) {
            const Result<void> written =
                co_await journal_->begin_with_step(std::move(begun), former, step);
            if (!written) co_return written;
        }
        unsettled_[key] = {.begun = true, .since = since, .steps = {}, .former = former};
    } else if (writes()) {
        const std::size_t number = unsettled_.at(key).steps.size();
        const Result<void> written = co_await journal_->add_step(key, number, step);
        if (!written) co_return written;
    }
    unsettled_.at(key).steps.push_back(std::move(step));
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::mark_undone(const std::string& key,
                                                            std::size_t index) {
    unsettled_.at(key).steps.at(index).undone = true;
    if (!writes()) co_return Result<void>();
    co_return co_await journal_->mark_undone(key, index);
}

asio::awaitable<Result<void>> DeploymentMemory::prove(const std::string& key) {
    if (!is_unsettled(key) || is_proven(key)) co_return Result<void>();
    if (writes()) {
        const Result<void> written = co_await journal_->prove(key);
        if (!written) co_return written;
    }
    unsettled_.at(key).proven = true;
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::settle(const std::string& key) {
    if (writes() && is_unsettled(key)) {
        const std::int64_t since = unsettled_.at(key).since;
        const Result<void> written = co_await journal_->settle(key, since);
        if (!written) {
            to_be_settled_[key] = since;
            co_return written;
        }
    }
    unsettled_.erase(key);
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::settle_rest() {
    for (const auto& [key, since] : to_be_settled_) {
        const Result<void> written = co_await journal_->settle(key, since);
        if (!written) co_return written;
    }
    to_be_settled_.clear();
    co_return Result<void>();
}

const PluginState* DeploymentMemory::state(const std::string& key) const {
    const auto found = states_.find(key);
    return found == states_.end() ? nullptr : &found->second;
}

asio::awaitable<Result<void>> DeploymentMemory::set_state(const std::string& key,
                                                          PluginState state) {
    if (writes()) {
        const Result<void> written = co_await journal_->set_state(key, state);
        if (!written) co_return written;
    }
    states_.insert_or_assign(key, std::move(state));
    co_return Result<void>();
}

}  // namespace certcast
