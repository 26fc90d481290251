#include "core/scheduler/attempt_record.hpp"
#include "core/scheduler/backoff.hpp"
#include "core/scheduler/lock_patience.hpp"
#include "core/scheduler/scheduler_impl.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Nobody expects one run to sleep longer than this because a server said so.
constexpr Duration longest_retry_after = std::chrono::hours(1);

std::uint64_t random_seed() {
    std::random_device source;
    return (std::uint64_t{source()} << 32) | source();
}

std::string what_was_thrown(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "something was thrown that is no std::exception";
    }
}

Stage first_stage(const Deployment& deployment) {
    const bool looks =
        deployment.descriptor == nullptr || deployment.descriptor->has(Stage::inspect);
    return looks ? Stage::inspect : Stage::deploy;
}

}  // namespace

Scheduler::Impl::Impl(asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
                      AttemptRunner& runner, Clock& clock, RunObserver& observer)
    : executor_(executor),
      pipeline_(pipeline),
      options_(std::move(options)),
      runner_(runner),
      clock_(clock),
      observer_(observer),
      slots_(executor, std::max(1u, pipeline.max_parallel), options_.most_begun),
      locks_(executor, options_.lock_folder),
      accounts_(executor, clock),
      none_under_way_(executor),
      random_(options_.seed != 0 ? options_.seed : random_seed()) {}

asio::awaitable<RunReport> Scheduler::Impl::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    make_plan(executor_, pipeline_, options_, slots_, plan_);
    observer_.run_started(pipeline_, plan_.report);
    for (Task* task : plan_.not_to_run) {
        if (!task->deployment->disabled) continue;
        end_unstarted(*task, Status::deferred, task->deployment->disabled_reason);
    }
    for (Task* task : plan_.not_to_run) {
        const std::string& unusable = task->deployment->unusable;
        if (unusable.empty() || task->place != Task::Place::before_needs) continue;
        record_failure(*task->report, Ended::setup_failed, Category::config, unusable);
        task->began = clock_.now();
        end(*task);
    }
    co_await start_what_needs_nothing();
    while (under_way_ > 0) {
        const bool ended = co_await none_under_way_.wait();
        if (ended) break;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        stop();
    }
    for (Task* task : plan_.order) {
        if (task->place != Task::Place::before_needs) continue;
        end_unstarted(*task, Status::skipped, "its needs and waves form a circle");
    }
    plan_.report.interrupted = stopping_;
    plan_.report.finished = std::chrono::system_clock::now();
    observer_.run_finished(plan_.report);
    co_return std::move(plan_.report);
}

/// Some at a time, each as far as it goes: so few are in memory at once where all end soon.
asio::awaitable<void> Scheduler::Impl::start_what_needs_nothing() {
    constexpr std::size_t most_at_once = 256;
    ++under_way_;  // there is more to come
    std::size_t started = 0;
    for (Task* task : plan_.order) {
        if (task->unmet > 0 || task->place != Task::Place::before_needs) continue;
        start_or_end(*task);
        if (++started % most_at_once == 0) co_await asio::post(executor_, asio::use_awaitable);
    }
    --under_way_;
}

void Scheduler::Impl::stop() {
    if (stopping_) return;
    stopping_ = true;
    for (Fleet& fleet : plan_.fleets) fleet.stop.emit(asio::cancellation_type::terminal);
    for (Task& task : plan_.tasks) {
        if (task.place == Task::Place::under_way) {
            task.stop.emit(asio::cancellation_type::terminal);
        } else if (task.place == Task::Place::before_needs) {
            end_unstarted(task, Status::cancelled, "interrupted");
        }
    }
}

void Scheduler::Impl::start(Task& task) {
    if (stopping_) return end_unstarted(task, Status::cancelled, "interrupted");
    task.place = Task::Place::under_way;
    task.began = clock_.now();
    ++under_way_;
    auto ended = [this, &task](std::exception_ptr escaped) {
        if (escaped) {
            record_failure(*task.report, Ended::failed, Category::internal,
                           "certcast itself failed here: " + what_was_thrown(escaped));
        }
        let_account_be(task);
        task.stop.slot().clear();  // asio would keep what cancels it until the run has ended
        --under_way_;
        end(task);
        if (under_way_ == 0) none_under_way_.set();
    };
    asio::co_spawn(executor_, deploy(task),
                   asio::bind_cancellation_slot(task.stop.slot(), std::move(ended)));
}

void Scheduler::Impl::start_or_end(Task& task) {
    if (is_done_already(task)) return end(task);
    start(task);
}

/// Then it has its outcome, too.
bool Scheduler::Impl::is_done_already(Task& task) {
    const std::string run = options_.done_in ? options_.done_in(*task.deployment) : "";
    if (run.empty()) return false;
    task.began = clock_.now();
    task.report->status = Status::unchanged;
    task.report->reason = "done in run " + run;
    return true;
}

asio::awaitable<void> Scheduler::Impl::deploy(Task& task) {
    co_await asio::this_coro::throw_if_cancelled(false);
    HeldLocks locks;
    RankedSlot slot(slots_, task.groups, task.rank);
    const Entry entry = co_await enter(task, slot, locks);
    switch (entry) {
        case Entry::granted: {
            const bool is_held = co_await attempt_until_done(task, slot);
            if (is_held) co_await conclude(task, slot, locks);
            break;
        }
        case Entry::refused:
            break;
        case Entry::given_up:
            record_failure(*task.report, Ended::setup_failed, Category::network,
                           "not tried: " + accounts_.why(task.deployment->account));
            task.report->reason = "unreachable";
            break;
        case Entry::interrupted:
            task.report->status = Status::cancelled;
            task.report->reason = "interrupted";
            break;
    }
}

/// Until the task has all its locks and a slot. It never waits for one while it holds the other.
asio::awaitable<Scheduler::Impl::Entry> Scheduler::Impl::enter(Task& task, RankedSlot& slot,
                                                               HeldLocks& locks) {
    std::optional<LockPatience> patience;
    for (;;) {
        if (stopping_) co_return Entry::interrupted;
        const bool free = co_await locks_.until_free_in_this_run(task.locks, task.rank);
        if (!free) co_return Entry::interrupted;
        const Entry entry = co_await take_slot(task, slot);
        if (entry != Entry::granted) co_return entry;
        if (task.fleet != nullptr && task.fleet->is_aborted()) {
            let_account_be(task);
            task.report->status = Status::skipped;
            task.report->reason = task.fleet->why_aborted();
            co_return Entry::refused;
        }
        const Result<LockTable::Taken> taken = locks_.try_take(task.locks, locks);
        if (taken.has_error()) {
            let_account_be(task);
            record_failure(*task.report, Ended::setup_failed, Category::internal,
                           taken.error().text());
            co_return Entry::refused;
        }
        if (*taken == LockTable::Taken::all) {
            task.began = clock_.now();
            co_return Entry::granted;
        }
        let_account_be(task);
        slot.give_back();
        if (*taken == LockTable::Taken::held_in_this_run) continue;

        if (!patience) {
            patience.emplace(clock_, options_.lock_timeout);
            observer_.waiting(*task.deployment, "another run holds its lock",
                              options_.lock_timeout);
        }
        if (patience->is_over()) {
            record_failure(*task.report, Ended::setup_failed, Category::conflict,
                           "another run on this machine held its lock for " +
                               in_words(options_.lock_timeout) +
                               ": wait for that run to end, or give a longer --lock-timeout");
            task.report->reason = "lock";
            co_return Entry::refused;
        }
        const bool slept = co_await patience->pause();
        if (!slept) co_return Entry::interrupted;
    }
}

/// There is no attempt after all.
void Scheduler::Impl::let_account_be(Task& task) {
    if (std::exchange(task.probes_account, false)) accounts_.let_be(task.deployment->account);
}

/// A slot at a time when the task's account does not rest.
asio::awaitable<Scheduler::Impl::Entry> Scheduler::Impl::take_slot(Task& task, RankedSlot& slot) {
    const std::string& account = task.deployment->account;
    for (;;) {
        if (!slot.can_be_had()) locks_.pass_on(task.locks);
        const bool taken = co_await slot.take_again();
        if (!taken || stopping_) co_return Entry::interrupted;
        const Accounts::Answer answer = accounts_.ask(account);
        task.probes_account = answer == Accounts::Answer::probe;
        if (answer == Accounts::Answer::go || task.probes_account) co_return Entry::granted;
        slot.give_back();
        locks_.pass_on(task.locks);
        if (answer == Accounts::Answer::given_up) co_return Entry::given_up;
        observer_.waiting(*task.deployment, accounts_.why(account), accounts_.left(account));
        const bool waited = co_await accounts_.wait(account);
        if (!waited) co_return Entry::interrupted;
    }
}

asio::awaitable<bool> Scheduler::Impl::attempt_until_done(Task& task, RankedSlot& slot) {
    const Deployment& deployment = *task.deployment;
    bool changed = false;
    std::vector<SharedFailure::Turn> turns;
    for (std::uint32_t attempt = 1;; ++attempt) {
        task.report->attempts = attempt;
        observer_.attempt_started(deployment, attempt);
        AttemptResult result = co_await runner_.run(deployment, attempt, slot);
        observer_.attempt_finished(deployment, attempt, result.outcome);
        const bool failed = !result.outcome.succeeded();
        if (failed || accounts_.knows_any()) {
            const bool was_probing = std::exchange(task.probes_account, false);
            accounts_.ended(deployment.account, result.outcome, first_stage(deployment),
                            was_probing, deployment.retry.max_backoff);
        }
        const auto shared = failed && may_be_tried_apart(task) ? result.shared_failure : nullptr;
        // One that was tried apart from others and breaks the reload alone is what they failed for.
        const bool is_to_blame = !turns.empty() && result.reload_failed;
        const auto counted = attempt - static_cast<std::uint32_t>(turns.size());
        const bool changed_before = changed;
        changed = changed || result.changed;
        const bool is_held = result.is_held;
        record(*task.report, std::move(result), changed_before);
        bool is_its_turn = false;
        if (shared) {
            slot.give_back();
            observer_.waiting(deployment, "to be tried apart from others that share its reload",
                              std::nullopt);
            auto turn = co_await shared->turn();
            is_its_turn = turn.has_value();
            if (turn) turns.push_back(*std::move(turn));
        }
        std::optional<Duration> pause;
        if (is_its_turn) {
            pause = Duration(0);
        } else if (failed && !is_to_blame) {
            pause = time_to_next_attempt(task, counted, *task.report->error);
        }
        if (!pause) co_return is_held;

        slot.give_back();
        observer_.waiting(deployment, "before another attempt", *pause);
        const bool slept = co_await clock_.sleep_until(clock_.now() + *pause);
        if (!slept) co_return is_held;
        const Entry entry = co_await take_slot(task, slot);
        if (entry == Entry::given_up) {
            task.report->warnings.push_back("not tried again: " +
                                            accounts_.why(deployment.account));
        }
        if (entry != Entry::granted) co_return is_held;
    }
}

bool Scheduler::Impl::may_be_tried_apart(const Task& task) const {
    const Duration budget = task.deployment->retry.budget;
    const bool has_time = budget.count() == 0 || clock_.now() <= task.began + budget;
    return !stopping_ && has_time;
}

/// It is proven, and keeps its place until its fleet is, or until that is aborted. What others of
/// the fleet may need as well it lets go meanwhile. An interrupted run keeps what is proven.
asio::awaitable<void> Scheduler::Impl::conclude(Task& task, RankedSlot& slot, HeldLocks& locks) {
    const Deployment& deployment = *task.deployment;
    slot.give_back();
    const std::vector<std::string> shared_locks = shared_locks_of(deployment);
    locks.drop(shared_locks);
    observer_.waiting(deployment, "until the others of its entry are proven", std::nullopt);
    arrive(task);
    // An interrupted run decides nothing any more.
    if (!stopping_) co_await task.fleet->until_decided();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const bool keep = !task.fleet->is_aborted();
    if (keep) {
        const Result<void> kept = co_await runner_.keep(deployment);
        if (!kept) {
            task.report->warnings.push_back("not recorded as proven: " + kept.error().text());
        }
    }
    HeldLocks shared;
    const bool has_locks = co_await take_again(shared_locks, task.rank, shared);
    if (!has_locks) {
        const std::string why = "another run holds its lock; the next run does it";
        AttemptResult left;
        left.rollback = RollbackState::pending;
        left.rollback_message = why;
        if (keep) left.warnings.push_back("what it replaced was not cleaned up: " + why);
        record_conclusion(*task.report, std::move(left), keep ? "" : task.fleet->why_aborted());
        co_return;
    }
    co_await slot.take_again();
    AttemptResult result = co_await runner_.conclude(deployment, task.report->attempts, slot, keep);
    record_conclusion(*task.report, std::move(result), keep ? "" : task.fleet->why_aborted());
}

asio::awaitable<bool> Scheduler::Impl::take_again(const std::vector<std::string>& names,
                                                  std::size_t rank, HeldLocks& locks) {
    LockPatience patience(clock_, options_.lock_timeout);
    for (;;) {
        const Result<LockTable::Taken> taken = locks_.try_take(names, locks);
        if (taken.has_error()) co_return false;
        if (*taken == LockTable::Taken::all) co_return true;
        if (*taken == LockTable::Taken::held_in_this_run) {
            co_await locks_.until_free_in_this_run(names, rank);
            continue;
        }
        if (stopping_ || patience.is_over()) co_return false;
        const bool slept = co_await patience.pause();
        if (!slept) co_return false;
    }
}

std::optional<Duration> Scheduler::Impl::time_to_next_attempt(Task& task, std::uint32_t attempt,
                                                              const Outcome& outcome) {
    const Deployment& deployment = *task.deployment;
    const std::optional<Duration> retry_after = outcome.failure.retry_after;
    if (retry_after && !deployment.account.empty()) {
        accounts_.rests_for(deployment.account, std::min(*retry_after, longest_retry_after));
    }
    if (stopping_ || attempt >= deployment.retry.attempts || !worth_retrying(outcome)) {
        return std::nullopt;
    }
    if (retry_after && *retry_after > longest_retry_after) {
        task.report->warnings.push_back("not tried again: it was asked to come back in " +
                                        in_words(*retry_after) + ", and a run waits at most " +
                                        in_words(longest_retry_after));
        return std::nullopt;
    }
    const Duration pause = backoff(deployment.retry, attempt, retry_after, random_);
    const Duration budget = deployment.retry.budget;
    if (budget.count() > 0 && clock_.now() + pause > task.began + budget) {
        task.report->warnings.push_back("not tried again: the next attempt would begin more than " +
                                        in_words(budget) + " after the first (retry.budget)");
        return std::nullopt;
    }
    return pause;
}

Scheduler::Scheduler(asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
                     AttemptRunner& runner, Clock& clock, RunObserver& observer)
    : impl_(std::make_unique<Impl>(std::move(executor), pipeline, std::move(options), runner, clock,
                                   observer)) {}

Scheduler::~Scheduler() = default;

asio::awaitable<RunReport> Scheduler::run() {
    return impl_->run();
}

void Scheduler::stop() {
    impl_->stop();
}

}  // namespace certcast
