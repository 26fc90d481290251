#pragma once

#include "core/base/error.hpp"
#include "core/worker/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <string>
#include <vector>

namespace certcast {

/// What outlasts an attempt: the steps that are not settled, with what was there before them, and
/// the state of plugins. What was written is kept once the write has returned.
class DeploymentMemory {
public:
    /// What a plugin has stored, and which version of it.
    struct State {
        Secret bytes;
        std::string version;
    };

    /// Oldest first. The reference stays good until the steps are forgotten.
    const std::vector<Step>& steps(const std::string& deployment) const;
    /// What inspect found before the first of the steps.
    const std::vector<Live>& former(const std::string& deployment) const;

    boost::asio::awaitable<Result<void>> add_step(const std::string& deployment, Step step,
                                                  const std::vector<Live>& former);
    /// REQUIRES: there is a step of this index.
    boost::asio::awaitable<Result<void>> mark_undone(const std::string& deployment,
                                                     std::size_t index);
    boost::asio::awaitable<Result<void>> forget_steps(const std::string& deployment);

    /// nullptr: none was stored. The key is the plugin's id and what it deploys to.
    const State* state(const std::string& key) const;
    boost::asio::awaitable<Result<void>> set_state(const std::string& key, State state);

private:
    struct Unsettled {
        std::vector<Step> steps;
        std::vector<Live> former;
    };
    std::map<std::string, Unsettled> unsettled_;
    std::map<std::string, State> states_;
};

}  // namespace certcast
