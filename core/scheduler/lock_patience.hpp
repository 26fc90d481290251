#pragma once

#include "core/scheduler/clock.hpp"

#include <algorithm>

namespace certcast {

/// How long the lock of another process is waited for: it cannot be told when that is free, so it
/// is tried after pauses that double.
class LockPatience {
public:
    LockPatience(Clock& clock, Duration longest) : clock_(clock), give_up_(clock.now() + longest) {}

    bool is_over() const { return clock_.now() >= give_up_; }
    /// False: the calling coroutine was cancelled.
    boost::asio::awaitable<bool> pause() {
        const Duration length = pause_;
        pause_ = std::min(pause_ * 2, Duration(2'000));
        return clock_.sleep_until(std::min(clock_.now() + length, give_up_));
    }

private:
    Clock& clock_;
    Clock::time_point give_up_;
    Duration pause_{50};
};

}  // namespace certcast
