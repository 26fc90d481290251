#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/event.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace certcast {

/// Limits how many deployments run at once, in all and in groups. Whoever has the lowest rank and
/// fits into all of its groups goes first.
class Slots {
public:
    /// Deployments that share a limit of their own: those of a plugin, those of an account.
    struct Group {
        std::uint32_t limit;
        std::uint32_t used = 0;

        bool is_full() const { return used >= limit; }
    };
    using Groups = std::array<Group*, 2>;  ///< nullptr: none

    /// `most_begun`: those that have lent their slot included.
    Slots(boost::asio::any_io_executor executor, std::uint32_t limit,
          std::uint32_t most_begun = std::numeric_limits<std::uint32_t>::max())
        : executor_(std::move(executor)), limit_(limit), most_begun_(most_begun) {}

    /// The group of this name; the limit counts when it is asked for first.
    Group& group(const std::string& name, std::uint32_t limit);

    /// False: the calling coroutine was cancelled before there was room. REQUIRES: no other wait
    /// of the same rank.
    boost::asio::awaitable<bool> take(const Groups& groups, std::size_t rank, bool was_lent);
    void give_back(const Groups& groups);
    /// Gives it back to others, who may be so many more only.
    void lend(const Groups& groups);
    /// Who lent a slot does not want it any more.
    void end_loan();
    /// take() would not wait.
    bool has_room(const Groups& groups, bool was_lent) const;

private:
    struct Waiter {
        const Groups* groups;
        Event* granted;
        bool was_lent;
    };

    void grant();

    boost::asio::any_io_executor executor_;
    std::uint32_t limit_;
    std::uint32_t most_begun_;
    std::uint32_t used_ = 0;
    std::uint32_t lent_ = 0;
    std::map<std::string, Group> groups_;
    std::map<std::size_t, Waiter> waiting_;  ///< by rank
};

/// One deployment's right to a slot. Begins without one; what it holds it gives back at the end.
class RankedSlot : public Slot {
public:
    /// Everything referred to outlives it.
    RankedSlot(Slots& slots, const Slots::Groups& groups, std::size_t rank)
        : slots_(slots), groups_(groups), rank_(rank) {}
    RankedSlot(const RankedSlot&) = delete;
    RankedSlot& operator=(const RankedSlot&) = delete;
    ~RankedSlot() override { give_back(); }

    /// Ends a loan, too.
    void give_back();
    void lend() override;
    boost::asio::awaitable<bool> take_again() override;
    /// take_again() would not wait.
    bool can_be_had() const { return held_ || slots_.has_room(groups_, lent_); }

private:
    Slots& slots_;
    const Slots::Groups& groups_;
    std::size_t rank_;
    bool held_ = false;
    bool lent_ = false;
};

}  // namespace certcast
