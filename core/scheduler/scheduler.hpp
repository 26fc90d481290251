#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/clock.hpp"
#include "core/scheduler/run_observer.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace certcast {

struct RunOptions {
    /// How long a lock that another process holds is waited for.
    Duration lock_timeout{60'000};
    std::filesystem::path lock_folder;  ///< empty: only this run's deployments are kept apart
    /// Orders deployments: soonest-expiring certificate first. May be empty.
    std::function<std::chrono::system_clock::time_point(const Deployment&)> expiry;
    /// The run in which a deployment has succeeded already, so that it is left out; empty: none.
    std::function<std::string(const Deployment&)> done_in;
    /// Deployments under way, those that have lent their slot included.
    std::uint32_t most_begun = std::numeric_limits<std::uint32_t>::max();
    std::uint64_t seed = 0;  ///< of the jitter; 0: a random one
};

/// Decides what runs when: needs, locks, limits, retries. Knows nothing of processes. Once run()
/// was started it is awaited to its end.
class Scheduler {
public:
    /// Everything referred to outlives the scheduler.
    Scheduler(boost::asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
              AttemptRunner& runner, Clock& clock, RunObserver& observer);
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;
    ~Scheduler();

    /// Runs every deployment to its end. Call it once.
    boost::asio::awaitable<RunReport> run();

    /// Asks everything that runs to stop and starts nothing more. run() then still waits for
    /// rollbacks and returns.
    void stop();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace certcast
