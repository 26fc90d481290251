#include "core/scheduler/slots.hpp"

#include <algorithm>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

Slots::Group& Slots::group(const std::string& name, std::uint32_t limit) {
    return groups_.try_emplace(name, Group{.limit = limit}).first->second;
}

asio::awaitable<bool> Slots::take(const Groups& groups, std::size_t rank, bool was_lent) {
    // Leaves the queue on every way out, that of a coroutine which is destroyed included.
    struct Place {
        Place(std::map<std::size_t, Waiter>& queue, std::size_t at) : waiting(queue), rank(at) {}
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() { waiting.erase(rank); }

        std::map<std::size_t, Waiter>& waiting;
        std::size_t rank;
    };
    Event granted(executor_);
    waiting_[rank] = Waiter{&groups, &granted, was_lent};
    const Place place(waiting_, rank);
    grant();
    co_return co_await granted.wait();
}

void Slots::give_back(const Groups& groups) {
    --used_;
    for (Group* group : groups) {
        if (group != nullptr) --group->used;
    }
    grant();
}

void Slots::lend(const Groups& groups) {
    ++lent_;
    give_back(groups);
}

void Slots::end_loan() {
    --lent_;
    grant();
}

bool Slots::has_room(const Groups& groups, bool was_lent) const {
    const bool may_begin = was_lent || used_ + lent_ < most_begun_;
    return used_ < limit_ && may_begin &&
           std::none_of(groups.begin(), groups.end(),
                        [](const Group* group) { return group != nullptr && group->is_full(); });
}

void Slots::grant() {
    for (auto next = waiting_.begin(); next != waiting_.end() && used_ < limit_;) {
        const Waiter waiter = next->second;
        if (!has_room(*waiter.groups, waiter.was_lent)) {
            ++next;
            continue;
        }
        next = waiting_.erase(next);
        ++used_;
        if (waiter.was_lent) --lent_;
        for (Group* group : *waiter.groups) {
            if (group != nullptr) ++group->used;
        }
        waiter.granted->set();
    }
}

void RankedSlot::give_back() {
    if (std::exchange(lent_, false)) slots_.end_loan();
    if (std::exchange(held_, false)) slots_.give_back(groups_);
}

void RankedSlot::lend() {
    if (!held_) return;
    held_ = false;
    lent_ = true;
    slots_.lend(groups_);
}

asio::awaitable<bool> RankedSlot::take_again() {
    if (!held_) {
        held_ = co_await slots_.take(groups_, rank_, lent_);
        if (held_) lent_ = false;
    }
    co_return held_;
}

}  // namespace certcast
