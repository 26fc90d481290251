#include "core/scheduler/shared_answers.hpp"

#include "core/scheduler/event.hpp"
#include "core/worker/told.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::size_t longest_name = 256;
constexpr std::size_t most_bytes = 1024 * 1024;  // of one account
constexpr std::size_t most_names = 1'000;
constexpr Duration a_day{24 * 3'600'000};

Error none() {
    return {ErrorCode::not_found, "nobody has found it out", {}};
}

}  // namespace

/// What an attempt is to find out. An answer knows by it who does, also when that has gone.
struct SharedAnswers::Self {
    std::set<std::string> to_find;
};

struct SharedAnswers::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : over(executor) {}

    Event over;                           ///< it is known, or not waited for any more
    asio::cancellation_signal no_longer;  ///< ends what ends the patience
};

SharedAnswers::Asker::Asker(SharedAnswers& answers, std::string account)
    : answers_(answers), account_(std::move(account)), self_(std::make_shared<Self>()) {}

bool SharedAnswers::holds(const Answer& answer, const Secret& refused) const {
    const bool is_refused = !refused.empty() && answer.text.text() == refused.text();
    return clock_.now() < answer.until && !is_refused;
}

void SharedAnswers::drop(Account& account, Answer& answer) {
    account.bytes -= answer.text.size();
    answer.text = Secret();
    answer.until = Clock::time_point::min();
}

void SharedAnswers::release(Answer& answer) {
    answer.asker.reset();
    for (const auto& waiter : std::exchange(answer.waiters, {})) waiter->over.set();
}

/// False: the caller was cancelled.
asio::awaitable<bool> SharedAnswers::wait(Answer& answer, Duration patience) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto waiter = std::make_shared<Waiter>(executor_);
    answer.waiters.push_back(waiter);
    // However that comes to its end, there is no waiting without it.
    auto ended = [waiter](std::exception_ptr, bool) { waiter->over.set(); };
    asio::co_spawn(executor_, clock_.sleep_until(clock_.now() + patience),
                   asio::bind_cancellation_slot(waiter->no_longer.slot(), std::move(ended)));
    const bool is_over = co_await waiter->over.wait();
    waiter->no_longer.emit(asio::cancellation_type::terminal);
    std::erase(answer.waiters, waiter);
    co_return is_over;
}

asio::awaitable<Result<Secret>> SharedAnswers::Asker::find(std::string name, Secret refused,
                                                           Duration patience) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (account_.empty() || name.empty() || name.size() > longest_name) {
        co_return Error{ErrorCode::denied, "only what has a name and an account is shared", {}};
    }
    // Who asks may be gone when it has waited.
    SharedAnswers& all = answers_;
    const std::shared_ptr<Self> self = self_;
    Account& account = all.accounts_[account_];
    const bool is_full = account.answers.size() >= most_names && !account.answers.contains(name);
    if (is_full) co_return none();
    Answer& answer = account.answers[name];
    if (all.holds(answer, refused)) co_return answer.text.clone();
    drop(account, answer);
    const auto asker = answer.asker.lock();
    if (asker && asker != self) {
        const bool is_over = co_await all.wait(answer, std::clamp(patience, Duration(0), a_day));
        if (!is_over) co_return Error{ErrorCode::cancelled, "it is no longer waited for", {}};
        if (all.holds(answer, refused)) co_return answer.text.clone();
        // Another one that has waited in vain may be at it already: each is on its own then.
        if (const auto now = answer.asker.lock(); now && now != asker) co_return none();
    }
    answer.asker = self;
    self->to_find.insert(std::move(name));
    co_return none();
}

void SharedAnswers::Asker::keep(const std::string& name, Secret answer, Duration lifetime) {
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
    self_->to_find.erase(name);
    release(kept);
}

void SharedAnswers::Asker::give_up() {
    for (const std::string& name : std::exchange(self_->to_find, {})) {
        Answer& answer = answers_.accounts_[account_].answers[name];
        if (answer.asker.lock() == self_) release(answer);
    }
}

}  // namespace certcast
