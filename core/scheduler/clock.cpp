#include "core/scheduler/clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace certcast {

namespace asio = boost::asio;

asio::awaitable<bool> SystemClock::sleep_until(time_point when) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return false;
    asio::steady_timer timer(co_await asio::this_coro::executor, when);
    const auto [failure] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !failure;
}

}  // namespace certcast
