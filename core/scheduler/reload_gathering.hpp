#pragma once

#include "core/scheduler/clock.hpp"
#include "core/scheduler/event.hpp"
#include "core/scheduler/shared_failure.hpp"
#include "core/worker/command.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// Turns equal reload requests of many deployments into one run of the command: it waits for those
/// who may still ask, a short while at most, and gives everybody the same answer. Outlives what
/// was asked of it.
class ReloadGathering {
public:
    ReloadGathering(boost::asio::any_io_executor executor, CommandRunner& commands, Clock& clock,
                    Duration patience = Duration(2'000))
        : executor_(std::move(executor)), commands_(commands), clock_(clock), patience_(patience) {}

    /// Says which commands somebody who runs now may still ask for. They are waited for until they
    /// have asked, or this is gone.
    class Expectation {
    public:
        Expectation(ReloadGathering& gathering, std::vector<std::vector<std::string>> commands);
        Expectation(const Expectation&) = delete;
        Expectation& operator=(const Expectation&) = delete;
        ~Expectation();

        /// The latest that it asked for on its way forward and that failed for others, too. They
        /// wait until this is gone. nullptr: none.
        const std::shared_ptr<SharedFailure>& failed_with_others() const { return shared_; }

        /// One that it asked for on its way forward.
        bool has_failed() const { return has_failed_; }

    private:
        friend class ReloadGathering;
        void drop(const std::vector<std::string>& argv);
        void add(const std::vector<std::string>& argv);
        void fail_with_others(std::shared_ptr<SharedFailure> shared);

        ReloadGathering& gathering_;
        std::vector<std::vector<std::string>> commands_;
        std::shared_ptr<SharedFailure> shared_;
        bool has_failed_ = false;
    };

    /// What it is for: a deployment on its way forward, or one that is rolled back.
    enum class Direction { forward, back };

    /// Requests with equal argv and identity are gathered; the command that came first is run. One
    /// that is running already may have read its files too early, so it is followed by another.
    boost::asio::awaitable<Result<CommandResult>> ask(Command command, std::string identity,
                                                      Expectation& asker,
                                                      Direction direction = Direction::forward);

private:
    using Key = std::pair<std::vector<std::string>, std::string>;
    struct Batch;
    struct Line {
        std::shared_ptr<Batch> gathering;
        std::shared_ptr<Batch> running;
    };

    void leave(const std::vector<std::string>& argv);
    void start(const Key& key, std::shared_ptr<Batch> batch);
    boost::asio::awaitable<void> gather_and_run(Key key, std::shared_ptr<Batch> batch);
    bool complete(const Batch& batch) const;

    boost::asio::any_io_executor executor_;
    CommandRunner& commands_;
    Clock& clock_;
    Duration patience_;
    std::map<std::vector<std::string>, std::size_t> expected_;
    std::map<Key, Line> lines_;
};

}  // namespace certcast
