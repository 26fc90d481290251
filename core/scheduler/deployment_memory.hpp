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
    /// What is done with a journal: all, reading it, or only not touching what it knows as
    /// half-way.
    enum class Use { all, reading, keeping_away };

    /// nullptr: nothing outlasts this process. `pipeline_file`: whose deployments they are.
    explicit DeploymentMemory(Journal* journal = nullptr, std::string pipeline_file = {},
                              Use use = Use::all)
        : journal_(journal), pipeline_file_(std::move(pipeline_file)), use_(use) {}

    /// Comes first in an attempt, behind the locks: another run may have been at it before.
    /// conflict: something is half-way that this deployment must not touch.
    boost::asio::awaitable<Result<void>> recall(const Deployment& deployment);

    /// Oldest first. The reference stays good until it is settled.
    const std::vector<Step>& steps(const std::string& key) const;
    /// What inspect found before the first of the steps.
    const std::vector<Live>& former(const std::string& key) const;
    /// It was begun, and neither proven nor undone.
    bool is_unsettled(const std::string& key) const { return unsettled_.contains(key); }
    /// Unsettled, and nothing of it is to be undone.
    bool is_proven(const std::string& key) const;

    /// From now on it is unsettled. `former`: what inspect found.
    boost::asio::awaitable<Result<void>> begin(const Deployment& deployment,
                                               const std::vector<Live>& former);
    /// With the first one it is begun.
    boost::asio::awaitable<Result<void>> add_step(const Deployment& deployment,
                                                  const std::vector<Live>& former, Step step);
    /// REQUIRES: there is a step of this index.
    boost::asio::awaitable<Result<void>> mark_undone(const std::string& key, std::size_t index);
    boost::asio::awaitable<Result<void>> prove(const std::string& key);
    boost::asio::awaitable<Result<void>> settle(const std::string& key);
    /// What could not be recorded as settled at once. For the end of the run.
    boost::asio::awaitable<Result<void>> settle_rest();

    /// nullptr: none was stored.
    const PluginState* state(const std::string& key) const;
    boost::asio::awaitable<Result<void>> set_state(const std::string& key, PluginState state);

private:
    HalfWay beginning_of(const Deployment& deployment) const;
    bool writes() const { return journal_ != nullptr && use_ == Use::all; }

    Journal* journal_;
    const std::string pipeline_file_;
    const Use use_;
    std::map<std::string, std::int64_t> to_be_settled_;  ///< by key: begun when
    std::map<std::string, Unsettled> unsettled_;
    std::map<std::string, PluginState> states_;
};

}  // namespace certcast
