#include "core/scheduler/shared_answers.hpp"

#include "core/scheduler/event.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_name = 256;
constexpr std::size_t largest_answer = 64 * 1024;
constexpr std::size_t most_bytes = 1024 * 1024;  // of one account
constexpr std::size_t most_names = 1'000;
constexpr Duration a_day{24 * 3'600'000};

Error none() {
    return {ErrorCode::not_found, "nobody has found it out", {}};
}

}  // namespace

/// Somebody finds something out, and others may wait for it.
struct SharedAnswers::Asking {
    Asking(const asio::any_io_executor& executor, Clock::time_point end)
        : patience_ends(end), over(executor) {}

    void end() {
        stop.emit(asio::cancellation_type::terminal);
        over.set();
    }

    Clock::time_point patience_ends;
    asio::cancellation_signal stop;  ///< of what ends the patience
    bool is_limited = false;
    Event over;  ///< it is known, or not waited for any more
};

bool SharedAnswers::holds(const Answer& answer, const Secret& refused) const {
    const bool is_refused = !refused.empty() && answer.text.text() == refused.text();
    return clock_.now() < answer.until && !is_refused;
}

void SharedAnswers::drop(Account& account, Answer& answer) {
    account.bytes -= answer.text.size();
    answer.text = Secret();
    answer.until = Clock::time_point::min();
}

/// Needed only where somebody waits.
void SharedAnswers::limit(const std::shared_ptr<Asking>& asking) {
    if (std::exchange(asking->is_limited, true)) return;
    // However that comes to its end, nobody is to wait any longer.
    auto ended = [asking](std::exception_ptr, bool) { asking->over.set(); };
    asio::co_spawn(executor_, clock_.sleep_until(asking->patience_ends),
                   asio::bind_cancellation_slot(asking->stop.slot(), std::move(ended)));
}

asio::awaitable<Result<Secret>> SharedAnswers::Asker::find(std::string name, Secret refused,
                                                           Duration patience) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (account_.empty() || name.empty() || name.size() > longest_name) {
        co_return Error{ErrorCode::denied, "only what has a name and an account is shared", {}};
    }
    SharedAnswers& all = answers_;  // which outlives the one who asks
    Account& account = all.accounts_[account_];
    const bool is_full = account.answers.size() >= most_names && !account.answers.contains(name);
    if (is_full || asked_.contains(name)) co_return none();
    Answer& answer = account.answers[name];
    if (all.holds(answer, refused)) co_return answer.text.clone();
    drop(account, answer);
    if (!answer.asking) {
        answer.asking = std::make_shared<Asking>(
            all.executor_, all.clock_.now() + std::clamp(patience, Duration(0), a_day));
        asked_[name] = answer.asking;
        co_return none();
    }
    const std::shared_ptr<Asking> asking = answer.asking;
    all.limit(asking);
    const bool is_over = co_await asking->over.wait();
    if (!is_over) co_return Error{ErrorCode::cancelled, "it is no longer waited for", {}};
    if (all.holds(answer, refused)) co_return answer.text.clone();
    co_return none();
}

void SharedAnswers::Asker::keep(const std::string& name, Secret answer, Duration lifetime) {
    asked_.erase(name);
    const auto mine = answers_.accounts_.find(account_);
    if (mine == answers_.accounts_.end()) return;
    Account& account = mine->second;
    const auto found = account.answers.find(name);
    if (found == account.answers.end()) return;
    Answer& kept = found->second;
    drop(account, kept);
    if (answer.size() <= largest_answer && account.bytes + answer.size() <= most_bytes) {
        account.bytes += answer.size();
        kept.text = std::move(answer);
        kept.until = answers_.clock_.now() + std::clamp(lifetime, Duration(0), a_day);
    }
    if (kept.asking) std::exchange(kept.asking, nullptr)->end();
}

void SharedAnswers::Asker::give_up() {
    for (const auto& [name, asking] : std::exchange(asked_, {})) {
        Answer& answer = answers_.accounts_[account_].answers[name];
        if (answer.asking == asking) answer.asking.reset();
        asking->end();
    }
}

}  // namespace certcast
