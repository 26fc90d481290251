#pragma once

#include "core/worker/granting.hpp"
#include "core/worker/session.hpp"

#include <memory>

namespace certcast {

class WorkerLink;

/// A session in a real worker process.
class WorkerSession : public Session {
public:
    /// `link` is started; `needs` are those of its job.
    WorkerSession(WorkerNeeds needs, std::shared_ptr<WorkerLink> link);
    WorkerSession(const WorkerSession&) = delete;
    WorkerSession& operator=(const WorkerSession&) = delete;
    ~WorkerSession() override;

    boost::asio::awaitable<Outcome> run(StageRequest request) override;
    bool alive() const override;
    bool take(const SessionRequest& request, HostCalls& calls) override;
    boost::asio::awaitable<Outcome> finish(Duration timeout) override;

private:
    const WorkerNeeds needs_;
    std::shared_ptr<WorkerLink> link_;
};

}  // namespace certcast
