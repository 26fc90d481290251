#include "core/scheduler/attempt.hpp"

#include "core/scheduler/probe_request.hpp"
#include "core/worker/shield.hpp"

#include <certcast/plugin.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;

namespace {

asio::awaitable<bool> asked_to_stop() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

Outcome stopped_before(Stage stage) {
    return Outcome::of(Ended::cancelled, stage, Category::cancelled,
                       "the run was interrupted before this stage");
}

Outcome not_started(Stage stage, const Error& error) {
    if (error.code == ErrorCode::cancelled) return stopped_before(stage);
    if (error.code == ErrorCode::conflict) {
        Outcome refused = Outcome::of(Ended::failed, stage, Category::config, error.text());
        refused.failure.retry = Retry::never;  // nothing in this run changes it
        return refused;
    }
    return Outcome::of(Ended::setup_failed, stage, Category::internal, error.text());
}

Outcome certcast_failed(Stage stage, const std::exception& exception) {
    return Outcome::of(Ended::failed, stage, Category::internal,
                       std::string("certcast itself failed: ") + exception.what());
}

}  // namespace

Attempt::Attempt(AttemptServices& services, const Deployment& deployment, std::uint32_t attempt,
                 Slot& slot)
    : services_(services),
      deployment_(deployment),
      key_(memory_key(deployment)),
      attempt_(attempt),
      slot_(slot),
      calls_(services, deployment, *deployment.descriptor, AttemptCalls::Role::deployer, attempt,
             &slot) {}

asio::awaitable<AttemptResult> Attempt::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    try {
        result_.outcome = co_await go_forward();
    } catch (const std::exception& exception) {
        result_.outcome = certcast_failed(Stage::deploy, exception);
    }
    co_await shielded(wind_up());
    co_return std::move(result_);
}

asio::awaitable<AttemptResult> Attempt::conclude(bool keep) {
    co_await asio::this_coro::throw_if_cancelled(false);
    result_.outcome = Outcome::success(Stage::settle);
    try {
        Outcome settled = Outcome::success(Stage::settle);
        if (keep) {
            co_await shielded(settle_earlier(settled));
        } else {
            co_await shielded(put_back());
        }
        if (!settled.succeeded()) {
            warn("deployed, but what it replaced was not cleaned up: " + reason_of(settled));
        }
    } catch (const std::exception& exception) {
        result_.outcome = certcast_failed(Stage::rollback, exception);
    }
    take_warnings();
    if (!keep) note_what_is_served();
    co_return std::move(result_);
}

asio::awaitable<Outcome> Attempt::recall() {
    const Result<void> recalled = co_await services_.memory.recall(deployment_);
    if (!recalled) co_return not_started(Stage::inspect, recalled.error());
    const bool is_proven = services_.memory.is_proven(key_) && !services_.dry_run;
    Outcome outcome = Outcome::success(Stage::inspect);
    if (is_proven) {
        const bool stop = co_await shielded(settle_earlier(outcome));
        if (stop && outcome.succeeded()) outcome = stopped_before(Stage::inspect);
    }
    unknown_ = services_.memory.is_unsettled(key_) && !can_be_undone();
    co_return outcome;
}

asio::awaitable<Outcome> Attempt::go_forward() {
    Outcome outcome = co_await recall();
    if (!outcome.succeeded()) co_return outcome;
    const bool is_half_way =
        services_.memory.is_unsettled(key_) && !services_.memory.is_proven(key_);
    if (is_half_way && !may_change()) {
        const bool goes_on = services_.under_way_elsewhere(deployment_);
        result_.would_change =
            goes_on ? "another run is at it" : "an earlier run has left it half-way";
        co_return outcome;
    }
    if (is_half_way && can_be_undone()) {
        const bool stop = co_await shielded(undo_earlier());
        if (result_.rollback != RollbackState::done) {
            co_return Outcome::of(Ended::failed, Stage::rollback, Category::internal,
                                  "what an earlier attempt left half-way could not be undone: " +
                                      result_.rollback_message);
        }
        if (stop) co_return stopped_before(Stage::inspect);
    }
    outcome = co_await start_session(Stage::inspect);
    if (outcome.succeeded()) outcome = co_await inspect_and_deploy();
    const bool goes_on = !unchanged_ && result_.would_change.empty();
    if (!outcome.succeeded() || !goes_on) co_return outcome;

    outcome = co_await prove();
    if (!outcome.succeeded()) {
        result_.proof = Proof::none;
        co_return outcome;
    }
    proven_ = true;
    const auto& changed = calls_.facts().changed;
    result_.changed = changed.empty() || std::any_of(changed.begin(), changed.end(),
                                                     [](const auto& one) { return one.second; });
    Outcome success = Outcome::success(Stage::deploy);
    success.late = late_;
    co_return success;
}

asio::awaitable<Outcome> Attempt::inspect_and_deploy() {
    const bool force = services_.force || unknown_;
    std::uint64_t flags = force ? std::uint64_t{CERTCAST_JOB_FORCE} : 0;
    if (services_.dry_run) flags |= CERTCAST_JOB_DRY_RUN;
    if (has(Stage::inspect)) {
        Outcome outcome = co_await run_stage(Stage::inspect, flags);
        if (outcome.succeeded()) outcome = failed_by_findings(Stage::inspect);
        if (!outcome.succeeded()) co_return outcome;
        seen_as_wanted_ = as_wanted();
        bool wanted = !force && seen_as_wanted_;
        if (wanted && !deployment_.probes.empty()) {
            // A probe that fails says nothing good of what is served: the deployment is made anew.
            const Outcome probed = co_await probe(Stage::inspect, deployment_.probes);
            if (probed.ended == Ended::cancelled) co_return probed;
            wanted = probed.succeeded() && probe_agrees();
            if (wanted) result_.proof = Proof::probe;
        }
        unchanged_ = wanted;
        if (unchanged_) co_return outcome;
    }
    Outcome guarded = co_await refuse_worse();
    if (!guarded.succeeded()) co_return guarded;
    if (!may_change()) {
        result_.would_change = why_it_changes();
        co_return Outcome::success(Stage::inspect);
    }
    co_return co_await deploy(flags);
}

asio::awaitable<Outcome> Attempt::refuse_worse() {
    // A handshake tells more than a serial number or an expiry; where it fails nothing is known.
    if (probed_.empty() && !deployment_.probes.empty() && guards_want_to_know_more()) {
        const Outcome probed = co_await probe(Stage::inspect, deployment_.probes);
        if (probed.ended == Ended::cancelled) co_return probed;
    }
    co_return judged_by_guards();
}

/// What cannot be undone is known to have been begun before it is: where it ends nobody could tell
/// otherwise. What can be undone is known by its steps.
asio::awaitable<Outcome> Attempt::deploy(std::uint64_t flags) {
    if (!has(Stage::rollback)) {
        const Result<void> begun =
            co_await services_.memory.begin(deployment_, calls_.facts().inspected);
        if (!begun) co_return not_started(Stage::deploy, begun.error());
    }
    touched_ = true;
    probed_.clear();
    result_.probes.clear();
    Outcome outcome = co_await run_stage(Stage::deploy, flags);
    late_ = outcome.late;
    co_return outcome;
}

asio::awaitable<Outcome> Attempt::prove() {
    // Gone where deploy's last wait was cut short by the deadline.
    const bool has_slot = co_await slot_.take_again();
    if (!has_slot) co_return stopped_before(Stage::verify);
    Outcome outcome = Outcome::success(Stage::verify);
    if (has(Stage::verify)) {
        outcome = co_await run_stage(Stage::verify);
        if (!outcome.succeeded()) co_return outcome;
        late_ = late_ || outcome.late;
        if (plugin_has_seen_all()) result_.proof = Proof::verify;
    }
    if (!deployment_.probes.empty()) {
        outcome = co_await probe(Stage::verify, deployment_.probes);
        if (outcome.succeeded()) result_.proof = Proof::probe;
    }
    co_return outcome;
}

/// Everything after the outcome is known. Nothing in it is cancelled: each stage has its timeout.
asio::awaitable<void> Attempt::wind_up() {
    const bool went_well = result_.outcome.succeeded();
    const bool undone_in_vain =
        result_.rollback == RollbackState::failed || result_.rollback == RollbackState::pending;
    bool can_close = session_ && (went_well || session_->alive());
    result_.is_held = is_to_be_held();
    if (result_.is_held) {
        can_close = session_->alive();
    } else if (proven_) {
        can_close = co_await settle();
    } else if (!went_well && is_to_be_undone() && !undone_in_vain) {
        co_await slot_.take_again();
        co_await roll_back();
        can_close = session_ && session_->alive();
    }
    if (can_close) {
        const Outcome end = co_await session_->finish(timeout_of(Stage::close));
        // The first cause wins, and a failure that was rolled back stays what it was.
        if (went_well && result_.outcome.succeeded() && !end.succeeded()) result_.outcome = end;
    }
    session_.reset();
    if (proven_ && !result_.is_held) {
        const Result<void> forgotten = co_await services_.memory.settle(key_);
        if (forgotten.has_error()) warn("not recorded as settled: " + forgotten.error().text());
    }
    if (went_well) {
        result_.rollback = RollbackState::none;
        result_.rollback_message.clear();
    }
    result_.outputs = std::move(calls_.facts().outputs);
    result_.shared_failure = calls_.shared_failure();
    result_.reload_failed = calls_.reload_failed();
    take_warnings();
    note_what_is_served();
}

asio::awaitable<bool> Attempt::settle() {
    if (!has(Stage::settle)) co_return true;
    // What would undo it goes now, so nobody may want to undo it any more.
    const Result<void> recorded = co_await services_.memory.prove(key_);
    if (!recorded) {
        warn("deployed, but what it replaced was not cleaned up: " + recorded.error().text());
        co_return session_->alive();
    }
    Outcome outcome = co_await run_stage(Stage::settle);
    if (outcome.succeeded()) co_return true;
    const bool only_too_slow =
        outcome.ended == Ended::timed_out || outcome.ended == Ended::cancelled;
    if (only_too_slow || outcome.ended == Ended::failed) {
        warn("deployed, but what it replaced was not cleaned up: " + reason_of(outcome));
    } else {
        result_.outcome = std::move(outcome);
    }
    co_return session_->alive();
}

/// What a host that was killed has proven, in a session of its own.
asio::awaitable<void> Attempt::settle_earlier(Outcome& outcome) {
    if (has(Stage::settle)) {
        const Result<void> recorded = co_await services_.memory.prove(key_);
        if (recorded) {
            outcome = co_await start_session(Stage::settle);
        } else {
            outcome = not_started(Stage::settle, recorded.error());
        }
    }
    if (session_) co_await settle();
    co_await end_session();
    if (!outcome.succeeded()) co_return;
    const Result<void> forgotten = co_await services_.memory.settle(key_);
    if (!forgotten) outcome = not_started(Stage::inspect, forgotten.error());
}

/// Where what comes of its end is of no interest.
asio::awaitable<void> Attempt::end_session() {
    if (session_ && session_->alive()) co_await session_->finish(timeout_of(Stage::close));
    session_.reset();
}

void Attempt::take_warnings() {
    for (std::string& warning : calls_.facts().warnings) warn(std::move(warning));
}

bool Attempt::may_change() {
    if (services_.dry_run) return false;
    return services_.changes == nullptr || services_.changes->grants(deployment_.name);
}

asio::awaitable<Outcome> Attempt::start_session(Stage stage) {
    SessionRequest request = request_for(deployment_, attempt_);
    if (services_.dry_run) request.reach = Reach::looking;
    if (const auto* state = services_.memory.state(key_)) {
        request.state = state->bytes.clone();
        request.state_version = state->version;
    }
    Result<std::unique_ptr<Session>> started =
        co_await services_.sessions.start(std::move(request), calls_);
    if (started.has_error()) co_return not_started(stage, started.error());
    session_ = std::move(*started);
    co_return Outcome::success(stage);
}

asio::awaitable<Outcome> Attempt::run_stage(Stage stage, std::uint64_t flags) {
    const bool stop = co_await asked_to_stop();
    if (stop) co_return stopped_before(stage);
    services_.observer.stage(deployment_, attempt_, name_of(stage));
    StageRequest request = request_for(deployment_, stage);
    request.flags = flags;
    request.steps = &services_.memory.steps(key_);
    calls_.begin(stage, services_.clock.now() + request.timeout);
    Outcome outcome = co_await session_->run(std::move(request));
    calls_.end();
    co_return outcome;
}

asio::awaitable<Outcome> Attempt::probe(Stage stage, std::vector<ProbeCheck> checks,
                                        std::uint64_t flags) {
    const bool stop = co_await asked_to_stop();
    if (stop) co_return stopped_before(stage);
    services_.observer.stage(deployment_, attempt_, "probe");
    probed_.clear();
    AttemptCalls calls(services_, deployment_, *services_.probe, AttemptCalls::Role::probe,
                       attempt_, nullptr);
    SessionRequest start = request_for(deployment_, attempt_);
    start.library = services_.probe_library;
    start.descriptor = services_.probe;
    start.config = probe_config(deployment_, checks);
    start.sandbox = services_.probe_sandbox;
    start.limits = Limits{};
    Result<std::unique_ptr<Session>> session =
        co_await services_.sessions.start(std::move(start), calls);
    if (session.has_error()) {
        Outcome not_begun = not_started(stage, session.error());
        not_begun.by_probe = true;
        co_return not_begun;
    }

    StageRequest request;
    request.stage = stage;
    request.flags = flags;
    request.timeout = probe_timeout(checks);
    request.grace = deployment_.grace;
    calls.begin(stage, services_.clock.now() + request.timeout);
    Outcome outcome = co_await (*session)->run(std::move(request));
    if (outcome.succeeded()) outcome = co_await (*session)->finish(timeout_of(Stage::close));
    AttemptFacts& seen = calls.facts();
    result_.probes = std::move(seen.outputs);
    probed_ = std::move(stage == Stage::inspect ? seen.inspected : seen.verified);
    outcome.by_probe = true;
    if (!outcome.succeeded() && outcome.ended != Ended::failed) {
        outcome.failure.message = "the probe itself: " + reason_of(outcome);
    }
    co_return outcome;
}

}  // namespace certcast
