#pragma once

#include "core/journal/journal.hpp"
#include "core/pipeline/pipeline.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <string>
#include <vector>

namespace certcast {

/// What a deployment is remembered by: its plugin and what it deploys to, so that renaming it
/// changes nothing.
std::string memory_key(const Deployment& deployment);

/// SHA-256 of all that the pipeline says of it: another one is another deployment. Empty where its
/// plugin cannot be used.
std::string digest_of(const Deployment& deployment);

/// What outlasts an attempt: the steps that are not settled, with what was there before them, and
/// the state of plugins. With a journal it outlasts the host: what was written is durable once the
/// write has returned.
class DeploymentMemory {
public:
    /// nullptr: nothing outlasts this process.
    explicit DeploymentMemory(Journal* journal = nullptr) : journal_(journal) {}

    /// Comes first in an attempt, behind the locks: another run may have been at it before.
    boost::asio::awaitable<Result<void>> recall(const std::string& key);

    /// Oldest first. The reference stays good until it is settled.
    const std::vector<Step>& steps(const std::string& key) const;
    /// What inspect found before the first of the steps.
    const std::vector<Live>& former(const std::string& key) const;
    /// It was begun, and neither proven nor undone.
    bool is_unsettled(const std::string& key) const { return unsettled_.contains(key); }

    /// From now on it is unsettled.
    boost::asio::awaitable<Result<void>> begin(const std::string& key,
                                               const std::string& deployment,
                                               const std::vector<Live>& former);
    /// With the first one it is begun.
    boost::asio::awaitable<Result<void>> add_step(const std::string& key,
                                                  const std::string& deployment,
                                                  const std::vector<Live>& former, Step step);
    /// REQUIRES: there is a step of this index.
    boost::asio::awaitable<Result<void>> mark_undone(const std::string& key, std::size_t index);
    boost::asio::awaitable<Result<void>> settle(const std::string& key);

    /// nullptr: none was stored.
    const PluginState* state(const std::string& key) const;
    boost::asio::awaitable<Result<void>> set_state(const std::string& key, PluginState state);

private:
    Journal* journal_;
    std::map<std::string, Unsettled> unsettled_;
    std::map<std::string, PluginState> states_;
};

}  // namespace certcast
