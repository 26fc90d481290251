#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>

namespace certcast {

/// Time as the scheduler sees it. The seam at which tests put a clock that they turn by hand.
class Clock {
public:
    using time_point = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;
    virtual time_point now() const = 0;
    /// False: the calling coroutine was cancelled before `when`.
    virtual boost::asio::awaitable<bool> sleep_until(time_point when) = 0;
};

/// The system's monotonic clock.
class SystemClock : public Clock {
public:
    time_point now() const override { return std::chrono::steady_clock::now(); }
    boost::asio::awaitable<bool> sleep_until(time_point when) override;
};

}  // namespace certcast
