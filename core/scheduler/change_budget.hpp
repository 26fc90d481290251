#pragma once

#include <cstddef>
#include <limits>
#include <set>
#include <string>

namespace certcast {

/// How many deployments a run may change. One that was granted a change keeps it for its next
/// attempts.
class ChangeBudget {
public:
    explicit ChangeBudget(std::size_t most = std::numeric_limits<std::size_t>::max())
        : most_(most) {}

    /// False: enough have been changed.
    bool grants(const std::string& deployment) {
        if (granted_.size() < most_) granted_.insert(deployment);
        return granted_.contains(deployment);
    }

private:
    std::size_t most_;
    std::set<std::string> granted_;
};

}  // namespace certcast
