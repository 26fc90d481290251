#include "core/scheduler/slots.hpp"

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Leaves the queue on every way out, that of a coroutine which is destroyed included.
struct Place {
    std::map<std::size_t, Event*>& waiting;
    std::size_t rank;

    Place(std::map<std::size_t, Event*>& queue, std::size_t at, Event& event)
        : waiting(queue), rank(at) {
        waiting[rank] = &event;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { waiting.erase(rank); }
};

}  // namespace

Slots::Group& Slots::group(const std::string& name, std::uint32_t limit) {
    const auto [place, fresh] = groups_.try_emplace(name);
    if (fresh) place->second.limit = limit;
    return place->second;
}

asio::awaitable<bool> Slots::take(Group& group, std::size_t rank) {
    Event granted(executor_);
    const Place place(group.waiting, rank, granted);
    grant();
    co_return co_await granted.wait();
}

void Slots::give_back(Group& group) {
    --used_;
    --group.used;
    grant();
}

void Slots::grant() {
    while (used_ < limit_) {
        Group* first = nullptr;
        for (auto& [name, group] : groups_) {
            if (group.waiting.empty()) continue;
            if (group.limit != 0 && group.used >= group.limit) continue;
            const bool sooner =
                first == nullptr || group.waiting.begin()->first < first->waiting.begin()->first;
            if (sooner) first = &group;
        }
        if (first == nullptr) return;
        const auto next = first->waiting.begin();
        Event* granted = next->second;
        first->waiting.erase(next);
        ++first->used;
        ++used_;
        granted->set();
    }
}

void RankedSlot::give_back() {
    if (!held_) return;
    held_ = false;
    slots_.give_back(group_);
}

asio::awaitable<bool> RankedSlot::take_again() {
    if (!held_) held_ = co_await slots_.take(group_, rank_);
    co_return held_;
}

}  // namespace certcast
