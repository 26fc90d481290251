#include "core/scheduler/scheduler_impl.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

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
        const bool met = has_succeeded(status);
        for (Task* dependent : task.dependents) {
            if (met) {
                one_less_unmet(*dependent, ending);
            } else {
                end_needing(*dependent, why_skipped(*task.report), status == Status::deferred,
                            ending);
            }
        }
        count(task, ending);
        arrive(task);
    }
}

/// Once, where something that it waited for is there.
void Scheduler::Impl::one_less_unmet(Task& task, std::vector<Task*>& ending) {
    if (task.place != Task::Place::before_needs || task.deployment->disabled) return;
    if (--task.unmet > 0) return;
    if (is_done_already(task)) {
        ending.push_back(&task);
    } else {
        start(task);
    }
}

void Scheduler::Impl::end_needing(Task& dependent, const std::string& why, bool is_deferred,
                                  std::vector<Task*>& ending) {
    if (dependent.place != Task::Place::before_needs || dependent.deployment->disabled) return;
    dependent.began = clock_.now();
    dependent.report->status = stopping_     ? Status::cancelled
                               : is_deferred ? Status::deferred
                                             : Status::skipped;
    dependent.report->reason = stopping_ ? "interrupted" : why;
    ending.push_back(&dependent);
}

void Scheduler::Impl::count(Task& task, std::vector<Task*>& ending) {
    if (task.counted_by == nullptr) return;
    const Status status = task.report->status;
    const bool met = has_succeeded(status);
    for (QuorumCount* quorum : *task.counted_by) {
        if (quorum->is_decided) continue;
        if (met) {
            ++quorum->succeeded;
        } else {
            --quorum->can_succeed;
        }
        quorum->some_deferred = quorum->some_deferred || status == Status::deferred;
        const bool is_met = quorum->succeeded >= quorum->needed;
        quorum->is_decided = is_met || quorum->can_succeed < quorum->needed;
        if (!quorum->is_decided) continue;
        for (Task* dependent : quorum->dependents) {
            if (is_met) {
                one_less_unmet(*dependent, ending);
            } else {
                end_needing(*dependent,
                            "needs " + quorum->at_least.text() + " of " + quorum->entry +
                                ", and too many of them did not succeed",
                            quorum->some_deferred, ending);
            }
        }
    }
}

/// Tells its fleet, once.
void Scheduler::Impl::arrive(Task& task) {
    if (task.fleet == nullptr || std::exchange(task.has_arrived, true)) return;
    task.fleet->arrived(task, task.report->status);
    go_on(*task.fleet);
}

void Scheduler::Impl::go_on(Fleet& fleet) {
    if (stopping_) return;  // what is proven is kept, and nothing more started
    switch (fleet.next()) {
        case Fleet::Next::wait:
            break;
        case Fleet::Next::decide:
            fleet.decide();
            if (fleet.is_aborted()) abort(fleet);
            break;
        case Fleet::Next::open_another: {
            ++under_way_;
            auto paused = [this, &fleet](const std::exception_ptr&, bool elapsed) {
                --under_way_;
                if (elapsed && !stopping_) open_wave(fleet);
                if (under_way_ == 0) none_under_way_.set();
            };
            fleet.begin_opening();
            asio::co_spawn(executor_, pause_before_wave(fleet),
                           asio::bind_cancellation_slot(fleet.stop.slot(), std::move(paused)));
            break;
        }
    }
}

asio::awaitable<bool> Scheduler::Impl::pause_before_wave(const Fleet& fleet) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (fleet.pause().count() > 0) {
        observer_.waiting(*fleet.next_task().deployment, "for its wave", fleet.pause());
        co_return co_await clock_.sleep_until(clock_.now() + fleet.pause());
    }
    co_await asio::post(executor_, asio::use_awaitable);
    co_return true;
}

void Scheduler::Impl::open_wave(Fleet& fleet) {
    std::vector<Task*> ending;
    for (Task* task : fleet.open_wave()) one_less_unmet(*task, ending);
    for (Task* task : ending) end(*task);
    go_on(fleet);
}

void Scheduler::Impl::abort(Fleet& fleet) {
    for (Task* task : fleet.tasks()) {
        if (task->place != Task::Place::before_needs) continue;
        end_unstarted(*task, Status::skipped, fleet.why_aborted());
    }
}

}  // namespace certcast
