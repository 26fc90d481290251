#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace certcast {

/// Something that happens once and that coroutines of the one thread wait for. Outlives them.
class Event {
public:
    explicit Event(const boost::asio::any_io_executor& executor)
        : timer_(executor, boost::asio::steady_timer::time_point::max()) {}

    void set();
    /// False: the calling coroutine was cancelled before.
    boost::asio::awaitable<bool> wait();

private:
    boost::asio::steady_timer timer_;
    bool set_ = false;
};

}  // namespace certcast
