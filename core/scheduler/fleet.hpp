#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/event.hpp"
#include "core/scheduler/run_report.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

struct Task;

/// The deployments of one entry on their way, wave by wave. Counts, and starts nothing itself.
class Fleet {
public:
    enum class Next { wait, open_another, decide };

    Fleet(const boost::asio::any_io_executor& executor, std::string entry, Waves waves)
        : decided_(executor), entry_(std::move(entry)), policy_(std::move(waves)) {}

    /// In the order in which they are to start; before anything else.
    void add(Task& task);
    const std::vector<Task*>& tasks() const { return tasks_; }

    /// One has ended, or is proven and waits for the others. REQUIRES: once for each.
    void arrived(const Task& task, Status status);
    /// What is to be done now.
    Next next() const;
    /// Another wave is going to be opened.
    void begin_opening() { is_opening_ = true; }
    /// The first one as well. Some of it may have ended already.
    std::vector<Task*> open_wave();
    /// Those that wait for it go on.
    void decide();

    /// Where nothing was done there is nothing to be watched.
    Duration pause() const { return has_done_any_ ? policy_.pause : Duration(0); }
    /// Of those that are to be opened. REQUIRES: there are some.
    const Task& next_task() const { return *tasks_[open_]; }
    /// Decided, since too many have failed.
    bool is_aborted() const { return !why_aborted_.empty(); }
    const std::string& why_aborted() const { return why_aborted_; }
    /// False: the calling coroutine was cancelled.
    boost::asio::awaitable<bool> until_decided() { return decided_.wait(); }

    boost::asio::cancellation_signal stop;  ///< of the pause before another wave

private:
    bool has_too_many_failures() const {
        return failures_ > policy_.max_failures.rounded_down(tasks_.size());
    }
    std::size_t end_of_wave(std::size_t wave) const;

    Event decided_;
    std::string entry_;
    Waves policy_;
    std::string why_aborted_;
    std::vector<Task*> tasks_;
    std::size_t wave_ = 0;  ///< how many have been opened
    std::size_t open_ = 0;  ///< tasks in them
    std::size_t arrived_ = 0;
    std::size_t arrived_of_open_ = 0;
    std::size_t failures_ = 0;
    bool has_done_any_ = false;  ///< since the latest wave was opened
    bool is_opening_ = false;
    bool is_decided_ = false;
};

}  // namespace certcast
