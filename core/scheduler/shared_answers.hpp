#pragma once

#include "core/base/duration.hpp"
#include "core/base/error.hpp"
#include "core/base/secret.hpp"
#include "core/scheduler/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace certcast {

/// What attempts have found out of their accounts and keep for the others of the run. What is not
/// to be had here each finds out for itself, so that nobody depends on another.
class SharedAnswers {
    struct Self;
    struct Waiter;

public:
    SharedAnswers(boost::asio::any_io_executor executor, Clock& clock)
        : executor_(std::move(executor)), clock_(clock) {}

    /// One attempt, of an account; empty: it has none, and shares nothing.
    class Asker {
    public:
        Asker(SharedAnswers& answers, std::string account);
        Asker(const Asker&) = delete;
        Asker& operator=(const Asker&) = delete;
        ~Asker() { give_up(); }

        /// Waits for another one that finds it out, but not longer than its own `patience`,
        /// whatever the other does. ErrorCode::not_found: it is for the caller to find out. An
        /// answer that is `refused` is dropped.
        boost::asio::awaitable<Result<Secret>> find(std::string name, Secret refused,
                                                    Duration patience);
        void keep(const std::string& name, Secret answer, Duration lifetime);
        /// Nobody waits for what it was to find out any more.
        void give_up();

    private:
        SharedAnswers& answers_;
        std::string account_;
        std::shared_ptr<Self> self_;
    };

private:
    struct Answer {
        Secret text;
        Clock::time_point until = Clock::time_point::min();  ///< it is not to be used from then on
        std::weak_ptr<Self> asker;                           ///< who finds it out
        std::vector<std::shared_ptr<Waiter>> waiters;        ///< for that
    };
    struct Account {
        std::map<std::string, Answer> answers;  ///< by name; none is ever removed
        std::size_t bytes = 0;
    };

    bool holds(const Answer& answer, const Secret& refused) const;
    static void drop(Account& account, Answer& answer);
    static void release(Answer& answer);
    boost::asio::awaitable<bool> wait(Answer& answer, Duration patience);

    boost::asio::any_io_executor executor_;
    Clock& clock_;
    std::map<std::string, Account> accounts_;
};

}  // namespace certcast
