#pragma once

#include "core/scheduler/event.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace certcast {

/// A reload that several deployments have shared, and that has failed. They are tried again in two
/// halves, one after the other; with each failure that is shared again the halves are smaller,
/// until what is to blame fails alone.
class SharedFailure : public std::enable_shared_from_this<SharedFailure> {
public:
    /// The right to be tried again. Once all of the first half have dropped theirs, the second
    /// goes.
    class Turn {
    public:
        Turn(std::shared_ptr<SharedFailure> of, bool is_first)
            : of_(std::move(of)), is_first_(is_first) {}
        Turn(Turn&&) = default;
        Turn& operator=(Turn&&) = delete;
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() {
            if (of_ && is_first_) of_->end_first();
        }

    private:
        std::shared_ptr<SharedFailure> of_;
        bool is_first_;
    };

    /// `members`: whose attempts shared it.
    SharedFailure(const boost::asio::any_io_executor& executor, std::size_t members)
        : members_(members), undone_(executor), first_half_done_(executor) {}

    /// The attempt of a member has ended, whatever it came to.
    void left();

    /// For each member whose attempt has failed: waits until the attempts of all have ended, and
    /// then for its half's turn. nullopt: it has failed alone, or was told to stop.
    boost::asio::awaitable<std::optional<Turn>> turn();

private:
    void end_first();

    std::size_t members_;
    std::size_t failed_ = 0;
    std::size_t first_half_ = 0;  ///< how many it has
    std::size_t first_ended_ = 0;
    Event undone_;
    Event first_half_done_;
};

}  // namespace certcast
