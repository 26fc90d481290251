#include "core/scheduler/shared_failure.hpp"

namespace certcast {

void SharedFailure::left() {
    if (--members_ == 0) undone_.set();
}

boost::asio::awaitable<std::optional<SharedFailure::Turn>> SharedFailure::turn() {
    const std::shared_ptr<SharedFailure> self = shared_from_this();
    const std::size_t place = failed_++;
    const bool are_undone = co_await undone_.wait();
    if (!are_undone) co_return std::nullopt;
    if (failed_ < 2) {
        first_half_done_.set();  // nobody may wait for one that does not go on
        co_return std::nullopt;
    }
    if (first_half_ == 0) first_half_ = (failed_ + 1) / 2;
    const bool is_first = place < first_half_;
    if (!is_first) {
        const bool is_its_turn = co_await first_half_done_.wait();
        if (!is_its_turn) co_return std::nullopt;
    }
    co_return Turn(self, is_first);
}

void SharedFailure::end_first() {
    if (++first_ended_ == first_half_) first_half_done_.set();
}

}  // namespace certcast
