#include "core/scheduler/slots.hpp"

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;

Slots::Group& Slots::group(const std::string& name, std::uint32_t limit) {
    return groups_.try_emplace(name, Group{.limit = limit}).first->second;
}

asio::awaitable<bool> Slots::take(const Groups& groups, std::size_t rank) {
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
    waiting_[rank] = Waiter{&groups, &granted};
    const Place place(waiting_, rank);
    grant();
    co_return co_await granted.wait();
}

void Slots::give_back(const Groups& groups) {
    --used_;
    for (Group* group : groups) --group->used;
    grant();
}

bool Slots::has_room(const Groups& groups) const {
    return used_ < limit_ && std::none_of(groups.begin(), groups.end(),
                                          [](const Group* group) { return group->is_full(); });
}

void Slots::grant() {
    for (auto next = waiting_.begin(); next != waiting_.end() && used_ < limit_;) {
        const Waiter waiter = next->second;
        if (!has_room(*waiter.groups)) {
            ++next;
            continue;
        }
        next = waiting_.erase(next);
        ++used_;
        for (Group* group : *waiter.groups) ++group->used;
        waiter.granted->set();
    }
}

void RankedSlot::give_back() {
    if (!held_) return;
    held_ = false;
    slots_.give_back(groups_);
}

asio::awaitable<bool> RankedSlot::take_again() {
    if (!held_) held_ = co_await slots_.take(groups_, rank_);
    co_return held_;
}

}  // namespace certcast
