#include "core/scheduler/staged_attempt.hpp"

#include "core/scheduler/attempt.hpp"

#include <boost/asio/this_coro.hpp>

namespace certcast {

boost::asio::awaitable<AttemptResult> StagedAttempts::run(const Deployment& deployment,
                                                          std::uint32_t attempt, Slot& slot) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    Attempt one(services_, deployment, attempt, slot);
    co_return co_await one.run();
}

boost::asio::awaitable<Result<void>> StagedAttempts::keep(const Deployment& deployment) {
    co_return co_await services_.memory.prove(memory_key(deployment));
}

boost::asio::awaitable<AttemptResult> StagedAttempts::conclude(const Deployment& deployment,
                                                               std::uint32_t attempt, Slot& slot,
                                                               bool keep) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    Attempt one(services_, deployment, attempt, slot);
    co_return co_await one.conclude(keep);
}

}  // namespace certcast
