#pragma once

#include "core/scheduler/clock.hpp"
#include "core/scheduler/event.hpp"
#include "core/worker/outcome.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace certcast {

/// Which accounts of plugins are to be left alone: those that asked to, and those that cannot be
/// reached. After several network failures in a row nothing is tried there for a while; then one
/// attempt goes ahead, and where that fails, too, the account is given up for the rest of the run.
class Accounts {
public:
    /// `probe`: go, for all others.
    enum class Answer { go, probe, wait, given_up };

    Accounts(boost::asio::any_io_executor executor, Clock& clock)
        : executor_(std::move(executor)), clock_(clock) {}

    /// For whoever is about to begin an attempt. Told to probe, it either tells how that ended, or
    /// lets it be. An empty account is always free.
    Answer ask(const std::string& account);
    /// REQUIRES: ask() has said "wait". False: the calling coroutine was cancelled.
    boost::asio::awaitable<bool> wait(const std::string& account);
    /// At most how long that takes, and why. nullopt: until somebody else's attempt has ended.
    std::optional<Duration> left(const std::string& account) const;
    std::string why(const std::string& account) const;

    /// False: a success would tell nothing.
    bool knows_any() const { return !accounts_.empty(); }
    /// An attempt has ended, of a deployer whose first stage is `first`; `was_probing`: of one that
    /// was told to. `rest`: how long nothing is tried after too many failures.
    void ended(const std::string& account, const Outcome& outcome, Stage first, bool was_probing,
               Duration rest);
    /// REQUIRES: it was told to probe.
    void let_be(const std::string& account);
    /// It was asked for.
    void rests_for(const std::string& account, Duration rest);

private:
    struct Account {
        Clock::time_point rests_until{};
        std::uint32_t failures = 0;      ///< of the network, in a row
        std::string last;                ///< of them, what it said
        std::shared_ptr<Event> probing;  ///< there while the one attempt goes ahead
        bool given_up = false;
    };

    bool is_suspect(const Account& account) const;

    boost::asio::any_io_executor executor_;
    Clock& clock_;
    std::unordered_map<std::string, Account> accounts_;
};

}  // namespace certcast
