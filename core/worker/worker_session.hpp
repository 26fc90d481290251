#pragma once

#include "core/worker/fork_server.hpp"
#include "core/worker/session.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace certcast {

class WorkerLink;

/// A session in a real worker process.
class WorkerSession : public Session {
public:
    /// Asks `server` for a worker and tells it its job; both happen while the caller goes on.
    static Result<std::unique_ptr<Session>> start(boost::asio::any_io_executor executor,
                                                  std::shared_ptr<ForkServer> server,
                                                  std::uint64_t attempt, WorkerPlace place,
                                                  SessionRequest request, HostCalls& calls);
    WorkerSession(const WorkerSession&) = delete;
    WorkerSession& operator=(const WorkerSession&) = delete;
    ~WorkerSession() override;

    boost::asio::awaitable<Outcome> run(StageRequest request) override;
    bool alive() const override;
    boost::asio::awaitable<Outcome> finish(Duration timeout) override;

private:
    explicit WorkerSession(std::shared_ptr<WorkerLink> link) : link_(std::move(link)) {}
    std::shared_ptr<WorkerLink> link_;
};

}  // namespace certcast
