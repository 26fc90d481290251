#include "core/scheduler/event.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace certcast {

namespace asio = boost::asio;

void Event::set() {
    set_ = true;
    timer_.cancel();
}

asio::awaitable<bool> Event::wait() {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (!set_ && state.cancelled() == asio::cancellation_type::none) {
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return set_;
}

}  // namespace certcast
