#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/attempt_services.hpp"

namespace certcast {

/// Runs attempts stage by stage in sessions: the rules that make a deployment safe to kill.
class StagedAttempts : public AttemptRunner {
public:
    explicit StagedAttempts(AttemptServices services) : services_(std::move(services)) {}

    boost::asio::awaitable<AttemptResult> run(const Deployment& deployment, std::uint32_t attempt,
                                              Slot& slot) override;
    boost::asio::awaitable<Result<void>> keep(const Deployment& deployment) override;
    boost::asio::awaitable<AttemptResult> conclude(const Deployment& deployment,
                                                   std::uint32_t attempt, Slot& slot,
                                                   bool keep) override;

private:
    AttemptServices services_;
};

}  // namespace certcast
