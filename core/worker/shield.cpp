#include "core/worker/shield.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace certcast {

namespace asio = boost::asio;

asio::awaitable<bool> shielded(asio::awaitable<void> work) {
    const auto executor = co_await asio::this_coro::executor;
    const auto before = co_await asio::this_coro::cancellation_state;
    const bool was_asked = before.cancelled() != asio::cancellation_type::none;
    // What comes in is noted and not passed on. The work runs as a coroutine of its own, because
    // whatever it calls must not find the note either.
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation(),
                                                       asio::disable_cancellation());
    co_await asio::co_spawn(executor, std::move(work), asio::use_awaitable);
    const auto meanwhile = co_await asio::this_coro::cancellation_state;
    const bool is_asked = meanwhile.cancelled() != asio::cancellation_type::none;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    co_return was_asked || is_asked;
}

}  // namespace certcast
