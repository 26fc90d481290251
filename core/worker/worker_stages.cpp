#include "core/worker/call_wire.hpp"
#include "core/worker/worker_link.hpp"
#include "core/worker/worker_wire.hpp"

#include <certcast/plugin.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>
#include <string.h>

#include <algorithm>
#include <cerrno>

namespace certcast {

namespace asio = boost::asio;
using Timer = WorkerLink::Timer;
using TimePoint = Timer::time_point;

namespace {

// A killed process is gone in milliseconds; if not, it hangs in the kernel, or its fork server
// does.
constexpr auto longest_dying = std::chrono::seconds(3);

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

/// Asks it to stop and gives it its grace, and the time for which it is protected. True: `done`.
template <typename Done>
asio::awaitable<bool> WorkerLink::end_softly(Done done, std::uint32_t reason) {
    ask_to_stop(reason);
    const TimePoint patience = Timer::clock_type::now() + grace_;
    bool ended = co_await wait_for(done, patience);
    if (!ended)
        ended = co_await wait_for(done, patience);  // an interrupt does not shorten the grace
    const TimePoint last = patience + longest_protect_;
    while (!ended && protected_until_ &&
           std::min(*protected_until_, last) > Timer::clock_type::now()) {
        const TimePoint until = std::min(*protected_until_, last);
        const auto done_or_open = [&done, this] { return done() || !protected_until_; };
        co_await wait_for(done_or_open, until);
        ended = done();
    }
    co_return ended;
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
    pollfd process{pidfd_.get(), POLLIN, 0};
    if (pidfd_ && poll(&process, 1, 0) == 0) {
        // Others of its fork server must not suffer for it.
        unkillable_ = true;
        on_exit({.setup_error = "it cannot be killed"});
    } else {
        server_->kill();
        co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
        if (!gone_) server_->give_up();
    }
    while (!dead()) co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
}

asio::awaitable<Outcome> WorkerLink::run(StageRequest request) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (gone_) co_return gone_outcome(request.stage);
    grace_ = request.grace;
    ++stage_number_;
    stage_runs_ = true;
    stage_status_.reset();
    failure_.reset();
    protected_until_.reset();
    const TimePoint deadline = Timer::clock_type::now() + request.timeout;
    send(FrameType::run_stage, 0,
         encode_stage(request, stage_number_, deadline.time_since_epoch().count()).bytes());

    const auto over = [this] {
        return stage_status_ || gone_ || violation_ || host_failure_ || limit_;
    };
    const auto at_start = co_await asio::this_coro::cancellation_state;
    bool in_time = false;
    if (at_start.cancelled() == asio::cancellation_type::none) {
        in_time = co_await wait_for(over, deadline);
    }
    const auto came_to_an_end = [this, &request] {
        if (!stage_status_) return false;
        // As at the end of a process: what is printed by then is this job's.
        if (request.stage == Stage::close) read_last_output();
        return !broken();
    };
    if (in_time && came_to_an_end()) co_return stage_outcome(request.stage);
    if (in_time) {
        co_await die();
        co_return gone_outcome(request.stage);
    }

    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    const bool ended =
        co_await end_softly(over, cancelled ? CERTCAST_CANCEL_USER : CERTCAST_CANCEL_DEADLINE);
    if (ended && came_to_an_end()) {
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
        co_return stopped(Ended::cancelled, request.stage, Category::cancelled, {});
    }
    co_return stopped(Ended::timed_out, request.stage, Category::timeout,
                      "not done after " + in_words(request.timeout) + "; ");
}

/// Of a stage that had to be ended.
Outcome WorkerLink::stopped(Ended ended, Stage stage, Category category, std::string why) const {
    why += "asked to stop, it did not within " + in_words(grace_);
    why += unkillable_ ? " and cannot be killed, so it hangs in the kernel: on a network file "
                         "system that does not answer, for instance"
                       : " and was killed";
    Outcome outcome = Outcome::of(ended, stage, category, std::move(why));
    if (unkillable_) outcome.failure.retry = Retry::never;  // it may still be at work
    return outcome;
}

Outcome WorkerLink::stage_outcome(Stage stage) const {
    if (*stage_status_ == CERTCAST_OK) return Outcome::success(stage);
    Outcome outcome = Outcome::of(Ended::failed, stage, Category::internal,
                                  "the plugin failed without saying why");
    if (failure_) outcome.failure = *failure_;
    outcome.failure.message += denied();
    if (used_.denials.empty()) outcome.failure.message += file_hint(outcome.failure.message);
    return outcome;
}

/// The kernel tells nobody which file it has refused; a plugin that says so gets an explanation.
std::string WorkerLink::file_hint(const std::string& message) const {
    if (server_->confinement().grants.rights.sandbox == Sandbox::off) return {};
    for (const int refused : {EACCES, EROFS}) {
        if (message.find(strerrordesc_np(refused)) == std::string::npos) continue;
        return " (if certcast's user may do that, its sandbox does not let it: a plugin reaches "
               "what its parameters and its description name, as READS, WRITES or DEVICE)";
    }
    return {};
}

/// What may explain a failure; empty where nothing was refused.
std::string WorkerLink::denied() const {
    return used_.denials.empty() ? "" : " (" + *used_.denials.begin() + ")";
}

/// Something other than the stage's end decides what came of it.
bool WorkerLink::broken() const {
    // Interrupted twice, a worker may live a moment longer than what it waits for.
    return violation_ || host_failure_ || limit_ || server_->is_interrupted();
}

Outcome WorkerLink::gone_outcome(Stage stage) const {
    if (limit_) {
        Outcome outcome = *limit_;
        outcome.stage = stage;
        return outcome;
    }
    if (host_failure_) {
        return Outcome::of(Ended::setup_failed, stage, Category::internal, *host_failure_);
    }
    if (violation_) {
        return Outcome::of(Ended::protocol_error, stage, Category::internal, *violation_);
    }
    Outcome outcome = outcome_of(exit_, static_cast<bool>(pidfd_), place_.limits, stage);
    outcome.failure.message += denied();
    return outcome;
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
    const auto dead = [this] { return (gone_ && !call_pending_) || broken(); };
    bool ended = co_await wait_for(dead, deadline);
    if (!ended) ended = co_await wait_for(dead, deadline);  // cancelling does not hurry a close
    if (!ended) ended = co_await end_softly(dead, CERTCAST_CANCEL_DEADLINE);
    if (!ended || broken()) {
        co_await die();
        if (broken()) co_return gone_outcome(Stage::close);
        co_return stopped(Ended::timed_out, Stage::close, Category::timeout,
                          "closing was not done after " + in_words(timeout) + "; ");
    }
    const bool clean = exit_.signal == 0 && exit_.status == 0 && exit_.setup_error.empty();
    if (!result_ || !clean) co_return gone_outcome(Stage::close);
    co_return Outcome::success(Stage::close);
}

}  // namespace certcast
