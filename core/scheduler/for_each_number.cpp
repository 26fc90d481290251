#include "core/scheduler/for_each_number.hpp"

#include "core/scheduler/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// A few coroutines that take the next number until there is none.
struct Numbers {
    std::size_t count = 0;
    std::function<asio::awaitable<void>(std::size_t)> work;
    Event ended;
    std::deque<asio::cancellation_signal> stops;
    std::size_t next = 0;
    std::size_t working = 0;
    std::exception_ptr escaped;
};

asio::awaitable<void> take_numbers(Numbers& all) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto state = co_await asio::this_coro::cancellation_state;
    while (all.next < all.count && state.cancelled() == asio::cancellation_type::none) {
        const std::size_t mine = all.next++;
        co_await all.work(mine);
    }
}

}  // namespace

asio::awaitable<void> for_each_number(std::size_t count, std::size_t parallel,
                                      std::function<asio::awaitable<void>(std::size_t)> work) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await asio::this_coro::executor;
    Numbers all{.count = count, .work = std::move(work), .ended = Event(executor)};
    const std::size_t workers = std::min(std::max<std::size_t>(1, parallel), count);
    for (std::size_t i = 0; i < workers; ++i) {
        ++all.working;
        auto ended = [&all](std::exception_ptr escaped) {
            --all.working;
            if (escaped) all.escaped = escaped;
            if (all.working == 0) all.ended.set();
        };
        asio::co_spawn(
            executor, take_numbers(all),
            asio::bind_cancellation_slot(all.stops.emplace_back().slot(), std::move(ended)));
    }
    while (all.working > 0) {
        const bool ended = co_await all.ended.wait();
        if (ended) break;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        for (asio::cancellation_signal& stop : all.stops) {
            stop.emit(asio::cancellation_type::terminal);
        }
    }
    if (all.escaped) std::rethrow_exception(all.escaped);
}

}  // namespace certcast
