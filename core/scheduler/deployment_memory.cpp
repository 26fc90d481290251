#include "core/scheduler/deployment_memory.hpp"

namespace certcast {

namespace asio = boost::asio;

const std::vector<Step>& DeploymentMemory::steps(const std::string& deployment) const {
    static const std::vector<Step> none;
    const auto found = unsettled_.find(deployment);
    return found == unsettled_.end() ? none : found->second.steps;
}

const std::vector<Live>& DeploymentMemory::former(const std::string& deployment) const {
    static const std::vector<Live> nothing;
    const auto found = unsettled_.find(deployment);
    return found == unsettled_.end() ? nothing : found->second.former;
}

asio::awaitable<Result<void>> DeploymentMemory::add_step(const std::string& deployment, Step step,
                                                         const std::vector<Live>& former) {
    Unsettled& unsettled = unsettled_[deployment];
    if (unsettled.steps.empty()) unsettled.former = former;
    unsettled.steps.push_back(std::move(step));
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::mark_undone(const std::string& deployment,
                                                            std::size_t index) {
    unsettled_.at(deployment).steps.at(index).undone = true;
    co_return Result<void>();
}

asio::awaitable<Result<void>> DeploymentMemory::forget_steps(const std::string& deployment) {
    unsettled_.erase(deployment);
    co_return Result<void>();
}

const DeploymentMemory::State* DeploymentMemory::state(const std::string& key) const {
    const auto found = states_.find(key);
    return found == states_.end() ? nullptr : &found->second;
}

asio::awaitable<Result<void>> DeploymentMemory::set_state(const std::string& key, State state) {
    states_.insert_or_assign(key, std::move(state));
    co_return Result<void>();
}

}  // namespace certcast
