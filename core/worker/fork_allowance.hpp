#pragma once

#include <atomic>
#include <cstddef>

namespace certcast {

/// How many more processes a fork server may start: one for each worker that it was asked for.
/// Counted by the loop, and used up on the thread that answers the server.
class ForkAllowance {
public:
    void add() { ++left_; }
    /// False: there is none.
    bool take() {
        std::size_t left = left_;
        while (left > 0 && !left_.compare_exchange_weak(left, left - 1)) {
        }
        return left > 0;
    }
    /// What is left over is not kept for something else.
    void keep_at_most(std::size_t most) {
        std::size_t left = left_;
        while (left > most && !left_.compare_exchange_weak(left, most)) {
        }
    }

private:
    std::atomic<std::size_t> left_{0};
};

}  // namespace certcast
