#include "core/scheduler/accounts.hpp"

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t most_failures = 5;

/// What the host's own probe cannot reach is not what the account leads to. Nor does what takes too
/// long after that was reached say anything of it: pods that do not start, for instance.
bool is_of_network(const Outcome& outcome, Stage first) {
    if (outcome.by_probe) return false;
    if (outcome.failure.category == Category::network) return true;
    const bool took_too_long =
        outcome.ended == Ended::timed_out || outcome.failure.category == Category::timeout;
    return took_too_long && outcome.stage == first;
}

}  // namespace

bool Accounts::is_suspect(const Account& account) const {
    return account.failures >= most_failures;
}

Accounts::Answer Accounts::ask(const std::string& name) {
    // Nothing is known of any in most runs: then the name is not even looked at.
    if (accounts_.empty() || name.empty()) return Answer::go;
    const auto found = accounts_.find(name);
    if (found == accounts_.end()) return Answer::go;
    Account& account = found->second;
    if (account.given_up) return Answer::given_up;
    if (account.probing || clock_.now() < account.rests_until) return Answer::wait;
    if (!is_suspect(account)) return Answer::go;
    account.probing = std::make_shared<Event>(executor_);
    return Answer::probe;
}

asio::awaitable<bool> Accounts::wait(const std::string& name) {
    const Account& account = accounts_.at(name);
    if (const std::shared_ptr<Event> probing = account.probing) co_return co_await probing->wait();
    co_return co_await clock_.sleep_until(account.rests_until);
}

std::optional<Duration> Accounts::left(const std::string& name) const {
    const Account& account = accounts_.at(name);
    if (account.probing) return std::nullopt;
    return std::chrono::ceil<Duration>(account.rests_until - clock_.now());
}

std::string Accounts::why(const std::string& name) const {
    const Account& account = accounts_.at(name);
    if (!is_suspect(account)) return "its account was asked to come back later";
    return "what its account leads to could not be reached " + std::to_string(account.failures) +
           " times in a row, the last time: " + account.last;
}

void Accounts::ended(const std::string& name, const Outcome& outcome, Stage first, bool was_probing,
                     Duration rest) {
    const bool failed = !outcome.succeeded() && is_of_network(outcome, first);
    if (name.empty() || (!failed && !accounts_.contains(name))) return;
    Account& account = accounts_[name];
    if (was_probing) let_be(name);
    if (!failed) {
        // Whoever was told to stop has seen nothing of it.
        if (outcome.ended != Ended::cancelled) account.failures = 0;
        return;
    }
    ++account.failures;
    account.last = reason_of(outcome);
    account.given_up = account.given_up || was_probing;
    if (account.failures == most_failures) rests_for(name, rest);
}

void Accounts::let_be(const std::string& name) {
    const auto found = accounts_.find(name);
    if (found == accounts_.end() || !found->second.probing) return;
    std::exchange(found->second.probing, nullptr)->set();
}

void Accounts::rests_for(const std::string& name, Duration rest) {
    Account& account = accounts_[name];
    account.rests_until = std::max(account.rests_until, clock_.now() + rest);
}

}  // namespace certcast
