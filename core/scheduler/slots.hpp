#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/event.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace certcast {

/// Limits how many deployments run at once, in all and per plugin. Whoever has the lowest rank and
/// fits goes first.
class Slots {
public:
    /// The deployments that share a limit of their own.
    struct Group {
        std::uint32_t limit = 0;  ///< 0: none but that of all
        std::uint32_t used = 0;
        std::map<std::size_t, Event*> waiting;  ///< by rank
    };

    Slots(boost::asio::any_io_executor executor, std::uint32_t limit)
        : executor_(std::move(executor)), limit_(limit) {}

    /// The group of this name; the limit counts when it is asked for first.
    Group& group(const std::string& name, std::uint32_t limit);

    /// False: the calling coroutine was cancelled before there was room. REQUIRES: no other wait
    /// of the same rank in the group.
    boost::asio::awaitable<bool> take(Group& group, std::size_t rank);
    void give_back(Group& group);

private:
    void grant();

    boost::asio::any_io_executor executor_;
    std::uint32_t limit_;
    std::uint32_t used_ = 0;
    std::map<std::string, Group> groups_;
};

/// One deployment's right to a slot. Begins without one; what it holds it gives back at the end.
class RankedSlot : public Slot {
public:
    RankedSlot(Slots& slots, Slots::Group& group, std::size_t rank)
        : slots_(slots), group_(group), rank_(rank) {}
    RankedSlot(const RankedSlot&) = delete;
    RankedSlot& operator=(const RankedSlot&) = delete;
    ~RankedSlot() override { give_back(); }

    void give_back() override;
    boost::asio::awaitable<bool> take_again() override;

private:
    Slots& slots_;
    Slots::Group& group_;
    std::size_t rank_;
    bool held_ = false;
};

}  // namespace certcast
