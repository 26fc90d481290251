#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/run_report.hpp"
#include "core/scheduler/shared_failure.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

/// The right to use one of the run's slots, which an attempt may give back while it waits.
class Slot {
public:
    virtual ~Slot() = default;
    /// To others, while the attempt only waits.
    virtual void lend() = 0;
    /// False: the calling coroutine was cancelled before there was room.
    virtual boost::asio::awaitable<bool> take_again() = 0;
};

/// What one attempt came to.
struct AttemptResult {
    Outcome outcome;
    bool changed = false;
    bool is_held = false;      ///< proven, and not settled before its fleet is
    std::string would_change;  ///< why it ought to be changed, if it was not allowed to be
    RollbackState rollback = RollbackState::none;
    std::string rollback_message;
    Proof proof = Proof::none;
    std::vector<Serving> serving;
    std::vector<std::pair<std::string, std::string>> probes;  ///< the latest: place and result
    std::vector<std::string> warnings;
    std::vector<std::pair<std::string, std::string>> outputs;
    bool reload_failed = false;  ///< one that it has asked for on its way forward
    std::shared_ptr<SharedFailure> shared_failure;  ///< the same, for others, too; nullptr: not so
};

/// Runs one attempt of one deployment to its end: every stage, proof, and rollback where it takes
/// one. The seam that lets the scheduler be tested without a process.
class AttemptRunner {
public:
    virtual ~AttemptRunner() = default;
    /// Cancelling the calling coroutine asks the attempt to stop; it then still cleans up, and
    /// leaves the coroutine one that can be cancelled. Never throws.
    virtual boost::asio::awaitable<AttemptResult> run(const Deployment& deployment,
                                                      std::uint32_t attempt, Slot& slot) = 0;
    /// Of one that was held nothing is to be undone any more, whatever happens to this host.
    virtual boost::asio::awaitable<Result<void>> keep(const Deployment& deployment) = 0;
    /// What becomes of one that was held: `keep` settles it, else it is rolled back. Goes on to its
    /// end when it is cancelled. Never throws.
    virtual boost::asio::awaitable<AttemptResult> conclude(const Deployment& deployment,
                                                           std::uint32_t attempt, Slot& slot,
                                                           bool keep) = 0;
};

}  // namespace certcast
