#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/clock.hpp"
#include "core/scheduler/run_observer.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace certcast {

struct RunOptions {
    std::vector<std::string> only;  ///< globs over deployment names; empty: all
    std::uint32_t max_parallel = 0; ///< 0: the pipeline's
    Duration lock_timeout{60'000};
    std::filesystem::path lock_folder;
    /// Orders deployments: soonest-expiring certificate first. May be empty.
    std::function<std::chrono::system_clock::time_point(const Deployment&)> expiry;
    std::uint64_t seed = 0;  ///< of the jitter
};

/// Decides what runs when: needs, locks, limits, retries. Knows nothing of processes.
class Scheduler {
public:
    /// Everything referred to outlives the scheduler.
    Scheduler(boost::asio::any_io_executor executor, const Pipeline& pipeline, RunOptions options,
              AttemptRunner& runner, Clock& clock, RunObserver& observer);
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
