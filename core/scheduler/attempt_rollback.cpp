#include "core/scheduler/attempt.hpp"
#include "core/scheduler/probe_request.hpp"

#include <certcast/plugin.h>

namespace certcast {

namespace asio = boost::asio;

/// What a killed or crashed attempt left behind, in a session of its own that knows nothing but the
/// steps.
asio::awaitable<void> Attempt::undo_earlier() {
    LogLine line{.level = LogLevel::warning,
                 .message = "undoing first what an earlier attempt left half-way"};
    services_.observer.log(deployment_, line);
    if (attempt_ == 1) warn("what an earlier run had left half-way was to be undone first");
    co_await put_back();
}

asio::awaitable<void> Attempt::put_back() {
    co_await roll_back();
    co_await end_session();
}

/// REQUIRES: there are steps. They stand until it is proven that they are undone.
asio::awaitable<void> Attempt::roll_back() {
    result_.rollback = RollbackState::failed;
    result_.proof = Proof::none;
    probed_.clear();
    result_.probes.clear();
    former_ = services_.memory.former(key_);
    if (!has(Stage::rollback)) {
        result_.rollback_message = "the plugin has no rollback";
        co_return;
    }
    Outcome outcome = Outcome::success(Stage::rollback);
    if (!session_ || !session_->alive()) {
        session_.reset();
        outcome = co_await start_session(Stage::rollback);
    }
    if (outcome.succeeded()) outcome = co_await run_stage(Stage::rollback, CERTCAST_JOB_RECOVERING);
    if (!outcome.succeeded()) {
        // Nothing but being killed on request ends a rollback as cancelled.
        if (outcome.ended == Ended::cancelled) result_.rollback = RollbackState::pending;
        result_.rollback_message = reason_of(outcome);
        co_return;
    }
    result_.rollback_message.clear();
    outcome = co_await check_former();
    if (!outcome.succeeded()) {
        result_.rollback_message =
            "undone, but the former certificate is not served: " + reason_of(outcome);
        co_return;
    }
    const Result<void> forgotten = co_await services_.memory.settle(key_);
    if (forgotten.has_error()) {
        result_.rollback_message = "undone, but not recorded: " + forgotten.error().text();
        co_return;
    }
    result_.rollback = RollbackState::done;
}

asio::awaitable<Outcome> Attempt::check_former() {
    Outcome outcome = Outcome::success(Stage::verify);
    if (has(Stage::verify)) {
        outcome = co_await run_stage(Stage::verify, CERTCAST_JOB_RECOVERING);
        if (!outcome.succeeded()) co_return outcome;
    }
    if (deployment_.probes.empty()) co_return outcome;
    std::vector<ProbeCheck> checks = checks_of_former(deployment_, former_);
    if (checks.empty()) {
        result_.rollback_message =
            "not probed afterwards, because it is not known which certificate was there before";
        co_return outcome;
    }
    co_return co_await probe(Stage::verify, std::move(checks), CERTCAST_JOB_RECOVERING);
}

}  // namespace certcast
