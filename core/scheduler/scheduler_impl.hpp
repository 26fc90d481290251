#pragma once

#include "core/scheduler/accounts.hpp"
#include "core/scheduler/lock_table.hpp"
#include "core/scheduler/run_plan.hpp"
#include "core/scheduler/scheduler.hpp"
#include "core/scheduler/slots.hpp"

#include <cstddef>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace certcast {

/// One run on its way. scheduler.cpp is about a deployment from its start to its end, task_ends.cpp
/// about what that end means to others.
class Scheduler::Impl {
public:
    Impl(boost::asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
         AttemptRunner& runner, Clock& clock, RunObserver& observer);

    boost::asio::awaitable<RunReport> run();
    void stop();

private:
    enum class Entry { granted, interrupted, refused, given_up };

    boost::asio::awaitable<void> start_what_needs_nothing();
    void start(Task& task);
    void start_or_end(Task& task);
    bool is_done_already(Task& task);
    boost::asio::awaitable<void> deploy(Task& task);
    boost::asio::awaitable<Entry> enter(Task& task, RankedSlot& slot, HeldLocks& locks);
    boost::asio::awaitable<Entry> take_slot(Task& task, RankedSlot& slot);
    /// True: it is held until its fleet is decided.
    boost::asio::awaitable<bool> attempt_until_done(Task& task, RankedSlot& slot);
    boost::asio::awaitable<void> conclude(Task& task, RankedSlot& slot, HeldLocks& locks);
    /// False: not in time.
    boost::asio::awaitable<bool> take_again(const std::vector<std::string>& names, std::size_t rank,
                                            HeldLocks& locks);
    void let_account_be(Task& task);
    bool may_be_tried_apart(const Task& task) const;
    /// `attempt`: without those that were needed to try it apart. nullopt: there is no other.
    std::optional<Duration> time_to_next_attempt(Task& task, std::uint32_t attempt,
                                                 const Outcome& outcome);

    void end(Task& ended);
    void end_unstarted(Task& task, Status status, std::string reason);
    /// What has its own end with that, too, is added to `ending`.
    void one_less_unmet(Task& task, std::vector<Task*>& ending);
    void end_needing(Task& dependent, const std::string& why, bool is_deferred,
                     std::vector<Task*>& ending);
    void count(Task& task, std::vector<Task*>& ending);
    void arrive(Task& task);
    void go_on(Fleet& fleet);
    boost::asio::awaitable<bool> pause_before_wave(const Fleet& fleet);
    void open_wave(Fleet& fleet);
    void abort(Fleet& fleet);

    boost::asio::any_io_executor executor_;
    const Pipeline& pipeline_;
    RunOptions options_;
    AttemptRunner& runner_;
    Clock& clock_;
    RunObserver& observer_;
    Slots slots_;
    LockTable locks_;
    Accounts accounts_;
    Event none_under_way_;
    std::mt19937_64 random_;
    RunPlan plan_;
    std::size_t under_way_ = 0;
    bool stopping_ = false;
};

}  // namespace certcast
