#include "core/worker/worker_session.hpp"

#include "core/worker/worker_link.hpp"

#include <utility>

namespace certcast {

namespace asio = boost::asio;

WorkerSession::WorkerSession(WorkerNeeds needs, std::shared_ptr<WorkerLink> link)
    : needs_(std::move(needs)), link_(std::move(link)) {}

WorkerSession::~WorkerSession() {
    link_->abandon();
}

asio::awaitable<Outcome> WorkerSession::run(StageRequest request) {
    return link_->run(std::move(request));
}

bool WorkerSession::alive() const {
    return link_->alive();
}

bool WorkerSession::take(const SessionRequest& request, HostCalls& calls) {
    return needs_of(request) == needs_ && link_->take(request, calls);
}

asio::awaitable<Outcome> WorkerSession::finish(Duration timeout) {
    return link_->finish(timeout);
}

}  // namespace certcast
