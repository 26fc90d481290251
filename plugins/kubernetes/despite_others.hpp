#pragma once

#include <certcast/errors.hpp>

namespace kubernetes {

/// Has `work` done, and done again where somebody else has written in between: five times in all.
template <typename Work>
void despite_others(Work work) {
    for (int tries_left = 5;; --tries_left) {
        try {
            return work();
        } catch (const certcast::conflict_error& error) {
            if (error.retry() == CERTCAST_RETRY_NEVER || tries_left == 1) throw;
        }
    }
}

}  // namespace kubernetes
