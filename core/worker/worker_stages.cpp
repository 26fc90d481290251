#include "core/worker/call_wire.hpp"
#include "core/worker/worker_link.hpp"
#include "core/worker/worker_wire.hpp"

#include <certcast/plugin.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;
using Timer = WorkerLink::Timer;
using TimePoint = Timer::time_point;

namespace {

// A killed process is gone in milliseconds; if not, its fork server is what hangs.
constexpr auto longest_dying = std::chrono::seconds(5);

}  // namespace

/// False: `until` came, or the calling coroutine was cancelled since it last looked.
template <typename Done>
asio::awaitable<bool> WorkerLink::wait_for(Done done, TimePoint until) {
    const auto at_start = co_await asio::this_coro::cancellation_state;
    const auto before = at_start.cancelled();
    while (!done()) {
        if (Timer::clock_type::now() >= until) co_return false;
        wake_.expires_at(until);
        boost::system::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != before && !done()) co_return false;
    }
    co_return true;
}

asio::awaitable<void> WorkerLink::die() {
    kill();
    stop_call_.emit(asio::cancellation_type::terminal);
    const auto dead = [this] { return gone_ && !call_pending_; };
    // Twice, because being cancelled ends a wait early too.
    for (int round = 0; round < 2; ++round) {
        const bool gone = co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
        if (gone) co_return;
    }
    server_->kill();
    while (!dead()) co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
}

asio::awaitable<Outcome> WorkerLink::run(StageRequest request) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (gone_) co_return gone_outcome(request.stage);
    ++stage_number_;
    stage_runs_ = true;
    stage_status_.reset();
    failure_.reset();
    protected_until_.reset();
    const TimePoint deadline = Timer::clock_type::now() + request.timeout;
    send(FrameType::run_stage, 0,
         encode_stage(request, stage_number_, deadline.time_since_epoch().count()).bytes());

    const auto over = [this] { return stage_status_ || gone_ || violation_ || host_failure_; };
    const auto at_start = co_await asio::this_coro::cancellation_state;
    bool in_time = false;
    if (at_start.cancelled() == asio::cancellation_type::none) {
        in_time = co_await wait_for(over, deadline);
    }
    if (in_time && stage_status_ && !violation_ && !host_failure_)
        co_return stage_outcome(request.stage);
    if (in_time) {
        co_await die();
        co_return gone_outcome(request.stage);
    }

    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    ask_to_stop(cancelled ? CERTCAST_CANCEL_USER : CERTCAST_CANCEL_DEADLINE);
    const TimePoint patience = Timer::clock_type::now() + request.grace;
    bool ended = co_await wait_for(over, patience);
    if (!ended)
        ended = co_await wait_for(over, patience);  // an interrupt does not shorten the grace
    const TimePoint last = patience + longest_protect_;
    while (!ended && protected_until_ &&
           std::min(*protected_until_, last) > Timer::clock_type::now()) {
        const TimePoint until = std::min(*protected_until_, last);
        const auto over_or_open = [&over, this] { return over() || !protected_until_; };
        co_await wait_for(over_or_open, until);
        ended = over();
    }
    if (ended && stage_status_ && !violation_ && !host_failure_) {
        Outcome outcome = stage_outcome(request.stage);
        if (outcome.succeeded()) {
            outcome.late = !cancelled;
            co_return outcome;
        }
        outcome.ended = cancelled ? Ended::cancelled : Ended::timed_out;
        co_return outcome;
    }
    co_await die();
    if (ended) co_return gone_outcome(request.stage);
    if (cancelled) {
        co_return Outcome::of(
            Ended::cancelled, request.stage, Category::cancelled,
            "asked to stop, it did not within " + in_words(request.grace) + " and was killed");
    }
    co_return Outcome::of(Ended::timed_out, request.stage, Category::timeout,
                          "not done after " + in_words(request.timeout) +
                              "; asked to stop, it "
                              "did not within " +
                              in_words(request.grace) + " and was killed");
}

Outcome WorkerLink::stage_outcome(Stage stage) const {
    if (*stage_status_ == CERTCAST_OK) return Outcome::success(stage);
    Outcome outcome = Outcome::of(Ended::failed, stage, Category::internal,
                                  "the plugin failed without saying why");
    if (failure_) outcome.failure = *failure_;
    return outcome;
}

Outcome WorkerLink::gone_outcome(Stage stage) const {
    if (host_failure_) {
        return Outcome::of(Ended::setup_failed, stage, Category::internal, *host_failure_);
    }
    if (violation_) {
        return Outcome::of(Ended::protocol_error, stage, Category::internal, *violation_);
    }
    return outcome_of(exit_, static_cast<bool>(pidfd_), stage);
}

asio::awaitable<Outcome> WorkerLink::finish(Duration timeout) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (gone_) co_return gone_outcome(Stage::close);
    const TimePoint deadline = Timer::clock_type::now() + timeout;
    ++stage_number_;
    stage_runs_ = true;
    wire::Writer out;
    out.u32(stage_number_);
    out.i64(deadline.time_since_epoch().count());
    send(FrameType::finish, 0, out.data());
    const auto dead = [this] { return (gone_ && !call_pending_) || violation_; };
    bool ended = co_await wait_for(dead, deadline);
    if (!ended) ended = co_await wait_for(dead, deadline);  // cancelling does not hurry a close
    if (!ended || violation_) {
        co_await die();
        if (violation_) co_return gone_outcome(Stage::close);
        co_return Outcome::of(
            Ended::timed_out, Stage::close, Category::timeout,
            "closing took longer than " + in_words(timeout) + "; the worker was killed");
    }
    const bool clean = exit_.signal == 0 && exit_.status == 0 && exit_.setup_error.empty();
    if (!result_ || !clean) co_return gone_outcome(Stage::close);
    co_return Outcome::success(Stage::close);
}

}  // namespace certcast
