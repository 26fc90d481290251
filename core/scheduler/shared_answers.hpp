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

namespace certcast {

/// What attempts have found out of their accounts and keep for the others of the run. What is not
/// to be had here each finds out for itself, so that nobody depends on another.
class SharedAnswers {
    struct Asking;

public:
    SharedAnswers(boost::asio::any_io_executor executor, Clock& clock)
        : executor_(std::move(executor)), clock_(clock) {}

    /// One attempt, of an account; empty: it has none, and shares nothing.
    class Asker {
    public:
        Asker(SharedAnswers& answers, std::string account)
            : answers_(answers), account_(std::move(account)) {}
        Asker(const Asker&) = delete;
        Asker& operator=(const Asker&) = delete;
        ~Asker() { give_up(); }

        /// ErrorCode::not_found: it is for the caller to find out, and for `patience` others wait
        /// for it. An answer that is `refused` is dropped.
        boost::asio::awaitable<Result<Secret>> find(std::string name, Secret refused,
                                                    Duration patience);
        void keep(const std::string& name, Secret answer, Duration lifetime);
        /// Nobody waits for what it was to find out any more.
        void give_up();

    private:
        SharedAnswers& answers_;
        std::string account_;
        std::map<std::string, std::shared_ptr<Asking>> asked_;  ///< it is to find out
    };

private:
    struct Answer {
        Secret text;
        Clock::time_point until = Clock::time_point::min();  ///< it is not to be used from then on
        std::shared_ptr<Asking> asking;                      ///< nullptr: nobody finds it out
    };
    struct Account {
        std::map<std::string, Answer> answers;  ///< by name; none is ever removed
        std::size_t bytes = 0;
    };

    bool holds(const Answer& answer, const Secret& refused) const;
    static void drop(Account& account, Answer& answer);
    void limit(const std::shared_ptr<Asking>& asking);

    boost::asio::any_io_executor executor_;
    Clock& clock_;
    std::map<std::string, Account> accounts_;
};

}  // namespace certcast
