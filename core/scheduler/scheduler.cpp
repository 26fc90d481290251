#include "core/scheduler/scheduler.hpp"

#include "core/scheduler/attempt_record.hpp"
#include "core/scheduler/backoff.hpp"
#include "core/scheduler/lock_table.hpp"
#include "core/scheduler/run_plan.hpp"
#include "core/scheduler/slots.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <random>
#include <unordered_map>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Nobody expects one run to sleep longer than this because a server said so.
constexpr Duration longest_retry_after = std::chrono::hours(1);
constexpr Duration first_lock_pause{50};
constexpr Duration longest_lock_pause{2'000};

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

std::string why_skipped(const DeploymentReport& need) {
    std::string why = "needs " + need.name + ", which is " + std::string(name_of(need.status));
    // The reason of one that did not run because of another would name the whole chain again.
    const bool by_need = need.status == Status::skipped ||
                         (need.status == Status::deferred && need.reason.starts_with("needs "));
    if (!by_need && !need.reason.empty() && need.reason != name_of(need.status)) {
        why += " (" + need.reason + ")";
    }
    return why;
}

}  // namespace

class Scheduler::Impl {
public:
    Impl(asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
         AttemptRunner& runner, Clock& clock, RunObserver& observer)
        : executor_(executor),
          pipeline_(pipeline),
          options_(std::move(options)),
          runner_(runner),
          clock_(clock),
          observer_(observer),
          slots_(executor, std::max(1u, pipeline.max_parallel), options_.most_begun),
          locks_(executor, options_.lock_folder),
          none_under_way_(executor),
          random_(options_.seed != 0 ? options_.seed : random_seed()) {}

    asio::awaitable<RunReport> run();
    void stop();

private:
    enum class Entry { granted, interrupted, refused };

    asio::awaitable<void> start_what_needs_nothing();
    void start(Task& task);
    void start_or_end(Task& task);
    bool is_done_already(Task& task);
    asio::awaitable<void> deploy(Task& task);
    asio::awaitable<Entry> enter(Task& task, RankedSlot& slot, HeldLocks& locks);
    asio::awaitable<bool> take_slot(Task& task, RankedSlot& slot);
    asio::awaitable<void> attempt_until_done(Task& task, RankedSlot& slot);
    /// nullopt: there is no other attempt.
    std::optional<Duration> time_to_next_attempt(Task& task, std::uint32_t attempt,
                                                 const Outcome& outcome);
    void end(Task& ended);
    void end_unstarted(Task& task, Status status, std::string reason);

    asio::any_io_executor executor_;
    const Pipeline& pipeline_;
    RunOptions options_;
    AttemptRunner& runner_;
    Clock& clock_;
    RunObserver& observer_;
    Slots slots_;
    LockTable locks_;
    Event none_under_way_;
    std::mt19937_64 random_;
    RunPlan plan_;
    std::size_t under_way_ = 0;
    bool stopping_ = false;
    std::unordered_map<std::string, Clock::time_point> account_rests_until_;
};

asio::awaitable<RunReport> Scheduler::Impl::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    make_plan(pipeline_, options_, slots_, plan_);
    observer_.run_started(pipeline_, plan_.report);
    for (Task* task : plan_.order) {
        if (!task->deployment->disabled) continue;
        end_unstarted(*task, Status::deferred, task->deployment->disabled_reason);
    }
    for (Task* task : plan_.order) {
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
        end_unstarted(*task, Status::skipped, "its needs form a circle");
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
        case Entry::granted:
            co_await attempt_until_done(task, slot);
            break;
        case Entry::refused:
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
    std::optional<Clock::time_point> give_up;
    Duration pause = first_lock_pause;
    for (;;) {
        if (stopping_) co_return Entry::interrupted;
        const bool free = co_await locks_.until_free_in_this_run(task.locks, task.rank);
        if (!free) co_return Entry::interrupted;
        const bool has_slot = co_await take_slot(task, slot);
        if (!has_slot) co_return Entry::interrupted;
        const Result<LockTable::Taken> taken = locks_.try_take(task.locks, locks);
        if (taken.has_error()) {
            record_failure(*task.report, Ended::setup_failed, Category::internal,
                           taken.error().text());
            co_return Entry::refused;
        }
        if (*taken == LockTable::Taken::all) {
            task.began = clock_.now();
            co_return Entry::granted;
        }
        slot.give_back();
        if (*taken == LockTable::Taken::held_in_this_run) continue;

        if (!give_up) {
            give_up = clock_.now() + options_.lock_timeout;
            observer_.waiting(*task.deployment, "another run holds its lock",
                              options_.lock_timeout);
        }
        if (clock_.now() >= *give_up) {
            record_failure(*task.report, Ended::setup_failed, Category::conflict,
                           "another run on this machine held its lock for " +
                               in_words(options_.lock_timeout) +
                               ": wait for that run to end, or give a longer --lock-timeout");
            task.report->reason = "lock";
            co_return Entry::refused;
        }
        const bool slept = co_await clock_.sleep_until(std::min(clock_.now() + pause, *give_up));
        if (!slept) co_return Entry::interrupted;
        pause = std::min(pause * 2, longest_lock_pause);
    }
}

/// A slot at a time when the task's account does not rest. False: the run was interrupted.
asio::awaitable<bool> Scheduler::Impl::take_slot(Task& task, RankedSlot& slot) {
    for (;;) {
        if (!slot.can_be_had()) locks_.pass_on(task.locks);
        const bool taken = co_await slot.take_again();
        if (!taken || stopping_) co_return false;
        const auto rest = account_rests_until_.find(task.deployment->account);
        if (rest == account_rests_until_.end()) co_return true;
        const Clock::time_point until = rest->second;
        const Clock::time_point now = clock_.now();
        if (now >= until) {
            account_rests_until_.erase(rest);
            co_return true;
        }
        slot.give_back();
        locks_.pass_on(task.locks);
        observer_.waiting(*task.deployment, "its account was asked to come back later",
                          std::chrono::ceil<Duration>(until - now));
        const bool slept = co_await clock_.sleep_until(until);
        if (!slept) co_return false;
    }
}

asio::awaitable<void> Scheduler::Impl::attempt_until_done(Task& task, RankedSlot& slot) {
    const Deployment& deployment = *task.deployment;
    bool changed = false;
    for (std::uint32_t attempt = 1;; ++attempt) {
        task.report->attempts = attempt;
        observer_.attempt_started(deployment, attempt);
        AttemptResult result = co_await runner_.run(deployment, attempt, slot);
        observer_.attempt_finished(deployment, attempt, result.outcome);
        std::optional<Duration> pause;
        if (!result.outcome.succeeded()) {
            pause = time_to_next_attempt(task, attempt, result.outcome);
        }
        const bool changed_before = changed;
        changed = changed || result.changed;
        record(*task.report, std::move(result), changed_before);
        if (!pause) co_return;

        slot.give_back();
        observer_.waiting(deployment, "before another attempt", *pause);
        const bool slept = co_await clock_.sleep_until(clock_.now() + *pause);
        if (!slept) co_return;
        const bool has_slot = co_await take_slot(task, slot);
        if (!has_slot) co_return;
    }
}

std::optional<Duration> Scheduler::Impl::time_to_next_attempt(Task& task, std::uint32_t attempt,
                                                              const Outcome& outcome) {
    const Deployment& deployment = *task.deployment;
    const std::optional<Duration> retry_after = outcome.failure.retry_after;
    if (retry_after && !deployment.account.empty()) {
        Clock::time_point& rest = account_rests_until_[deployment.account];
        rest = std::max(rest, clock_.now() + std::min(*retry_after, longest_retry_after));
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

void Scheduler::Impl::end_unstarted(Task& task, Status status, std::string reason) {
    task.report->status = status;
    task.report->reason = std::move(reason);
    task.began = clock_.now();
    end(task);
}

/// Ends the task, and with it whatever needed it in vain; starts what waited for it alone.
void Scheduler::Impl::end(Task& ended) {
    std::vector<Task*> ending{&ended};
    while (!ending.empty()) {
        Task& task = *ending.back();
        ending.pop_back();
        if (task.place == Task::Place::ended) continue;
        task.place = Task::Place::ended;
        task.report->duration = std::chrono::duration_cast<Duration>(clock_.now() - task.began);
        observer_.deployment_finished(*task.report);
        const Status status = task.report->status;
        const bool met = status == Status::changed || status == Status::unchanged;
        for (Task* dependent : task.dependents) {
            const bool its_turn =
                dependent->place == Task::Place::before_needs && !dependent->deployment->disabled;
            if (!its_turn) continue;
            if (met) {
                if (--dependent->unmet > 0) continue;
                if (is_done_already(*dependent)) {
                    ending.push_back(dependent);
                } else {
                    start(*dependent);
                }
                continue;
            }
            dependent->began = clock_.now();
            dependent->report->status = stopping_                    ? Status::cancelled
                                        : status == Status::deferred ? Status::deferred
                                                                     : Status::skipped;
            dependent->report->reason = stopping_ ? "interrupted" : why_skipped(*task.report);
            ending.push_back(dependent);
        }
    }
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
