#include "core/scheduler/fleet.hpp"

#include "core/scheduler/run_plan.hpp"

#include <algorithm>

namespace certcast {

/// Behind the last that is written there is one with all that are left.
std::size_t Fleet::end_of_wave(std::size_t wave) const {
    return wave < policy_.sizes.size() ? policy_.sizes[wave].rounded_up(tasks_.size())
                                       : tasks_.size();
}

void Fleet::add(Task& task) {
    task.place_in_fleet = tasks_.size();
    tasks_.push_back(&task);
}

std::vector<Task*> Fleet::open_wave() {
    is_opening_ = false;
    has_done_any_ = false;
    const std::size_t begin = open_;
    while (open_ == begin && open_ < tasks_.size()) open_ = std::max(open_, end_of_wave(wave_++));
    std::vector<Task*> wave(tasks_.begin() + static_cast<std::ptrdiff_t>(begin),
                            tasks_.begin() + static_cast<std::ptrdiff_t>(open_));
    // What ended before its wave has not to be waited for.
    arrived_of_open_ += static_cast<std::size_t>(std::count_if(
        wave.begin(), wave.end(), [](const Task* task) { return task->has_arrived; }));
    return wave;
}

void Fleet::arrived(const Task& task, Status status) {
    has_done_any_ = has_done_any_ || status == Status::changed || !is_good(status);
    ++arrived_;
    if (task.place_in_fleet < open_) ++arrived_of_open_;
    if (!is_good(status)) ++failures_;
}

Fleet::Next Fleet::next() const {
    if (is_decided_ || is_opening_) return Next::wait;
    if (has_too_many_failures() || arrived_ == tasks_.size()) return Next::decide;
    return arrived_of_open_ == open_ ? Next::open_another : Next::wait;
}

void Fleet::decide() {
    is_decided_ = true;
    if (has_too_many_failures()) {
        // What is skipped because of it is no further reason.
        why_aborted_ = std::to_string(failures_) + " of " + std::to_string(tasks_.size()) +
                       " deployments of " + entry_ + " did not succeed, and max_failures is " +
                       policy_.max_failures.text();
    }
    decided_.set();
}

}  // namespace certcast
