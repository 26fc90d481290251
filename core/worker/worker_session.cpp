#include "core/worker/worker_session.hpp"

#include "core/worker/worker_link.hpp"

namespace certcast {

namespace asio = boost::asio;

Result<std::unique_ptr<Session>> WorkerSession::start(asio::any_io_executor executor,
                                                      std::shared_ptr<ForkServer> server,
                                                      std::uint64_t attempt, WorkerPlace place,
                                                      SessionRequest request, HostCalls& calls) {
    auto link =
        std::make_shared<WorkerLink>(std::move(executor), std::move(server), attempt,
                                     std::move(place), request.descriptor->longest_protect, calls);
    if (auto started = link->start(request); !started) return started.error();
    return std::unique_ptr<Session>(new WorkerSession(std::move(link)));
}

WorkerSession::~WorkerSession() {
    link_->abandon();
}

asio::awaitable<Outcome> WorkerSession::run(StageRequest request) {
    return link_->run(std::move(request));
}

bool WorkerSession::alive() const {
    return link_->alive();
}

asio::awaitable<Outcome> WorkerSession::finish(Duration timeout) {
    return link_->finish(timeout);
}

}  // namespace certcast
