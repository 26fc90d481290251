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

asio::awaitable<Result<void>> DeploymentMemory::recall(const std::string& key) {
    if (journal_ == nullptr) co_return Result<void>();
    Result<Remembered> found = co_await journal_->recall(key);
    if (!found) co_return found.error();
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

asio::awaitable<Result<void>> DeploymentMemory::begin(const std::string& key,
                                                      const std::string& deployment,
                                                      const std::vector<Live>& former) {
    if (is_unsettled(key)) co_return Result<void>();
    if (journal_ != nullptr) {
        const Result<void> written = co_await journal_->begin(key, deployment, former);
        if (!written) co_return written;
    }
    unsettled_[key] = {.begun = true, .steps = {}, .former = former};
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::add_step(const std::string& key,
                                                         const std::string& deployment,
                                                         const std::vector<Live>& former,
                                                         Step step) {
    if (!is_unsettled(key)) {
        if (journal_ != nullptr) {
            const Result<void> written =
                co_await journal_->begin_with_step(key, deployment, former, step);
            if (!written) co_return written;
        }
        Unsettled& begun = unsettled_[key];
        begun.begun = true;
        begun.former = former;
        begun.steps.push_back(std::move(step));
        co_return Result<void>();
    }
    const std::size_t number = unsettled_.at(key).steps.size();
    if (journal_ != nullptr) {
        const Result<void> written = co_await journal_->add_step(key, number, step);
        if (!written) co_return written;
    }
    unsettled_.at(key).steps.push_back(std::move(step));
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::mark_undone(const std::string& key,
                                                            std::size_t index) {
    unsettled_.at(key).steps.at(index).undone = true;
    if (journal_ == nullptr) co_return Result<void>();
    co_return co_await journal_->mark_undone(key, index);
}

asio::awaitable<Result<void>> DeploymentMemory::settle(const std::string& key) {
    if (journal_ != nullptr && is_unsettled(key)) {
        const Result<void> written = co_await journal_->settle(key);
        if (!written) co_return written;
    }
    unsettled_.erase(key);
    co_return Result<void>();
}

const PluginState* DeploymentMemory::state(const std::string& key) const {
    const auto found = states_.find(key);
    return found == states_.end() ? nullptr : &found->second;
}

asio::awaitable<Result<void>> DeploymentMemory::set_state(const std::string& key,
                                                          PluginState state) {
    if (journal_ != nullptr) {
        const Result<void> written = co_await journal_->set_state(key, state);
        if (!written) co_return written;
    }
    states_.insert_or_assign(key, std::move(state));
    co_return Result<void>();
}

}  // namespace certcast
