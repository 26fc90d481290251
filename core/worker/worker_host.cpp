#include "core/worker/worker_host.hpp"

#include "core/worker/command_process.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/worker_session.hpp"

#include <signal.h>

#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

Error interrupted() {
    return {ErrorCode::cancelled, "the run was interrupted", {}};
}

}  // namespace

WorkerHost::WorkerHost(asio::any_io_executor executor, std::filesystem::path program,
                       std::filesystem::path work_parent)
    : executor_(std::move(executor)),
      program_(std::move(program)),
      work_parent_(std::move(work_parent)),
      not_ours_(certcast::children()) {
    become_subreaper();
}

WorkerHost::~WorkerHost() {
    kill_all();
    servers_.clear();
    children_.clear();
    sweep();
}

Result<std::shared_ptr<ForkServer>> WorkerHost::server_for(const Library& library) {
    const auto known = servers_.find(library.path);
    if (known != servers_.end() && known->second->usable()) return known->second;
    auto started = ForkServer::start(executor_, program_, library, [this](pid_t pid) {
        children_.erase(pid);
        sweep();
    });
    if (!started) return started.error();
    children_.insert((*started)->pid());
    servers_.insert_or_assign(library.path, *started);
    return *started;
}

asio::awaitable<Result<std::unique_ptr<Session>>> WorkerHost::start(SessionRequest request,
                                                                    HostCalls& calls) {
    if (killed_) co_return interrupted();
    if (!work_root_) {
        auto made = WorkRoot::make(work_parent_);
        if (!made) co_return made.error();
        work_root_.emplace(std::move(*made));
    }
    auto server = server_for(*request.library);
    if (!server) co_return server.error();
    const std::uint64_t attempt = next_attempt_++;
    const auto folder = work_root_->path() / std::to_string(attempt);
    co_return WorkerSession::start(executor_, std::move(*server), attempt, folder.string(),
                                   std::move(request), calls);
}

asio::awaitable<Result<CommandResult>> WorkerHost::run(Command command) {
    if (killed_) co_return interrupted();
    auto process = CommandProcess::start(executor_, program_, std::move(command));
    if (!process) co_return process.error();
    const auto running = std::move(*process);
    const pid_t pid = running->pid();
    children_.insert(pid);
    auto result = co_await running->result();
    children_.erase(pid);
    sweep();  // what its helper could not end, because it was killed itself
    if (killed_) co_return interrupted();
    co_return result;
}

void WorkerHost::kill_all() {
    killed_ = true;
    for (const auto& [path, server] : servers_) server->kill(true);
    for (const pid_t child : children_) kill(child, SIGKILL);
}

// Workers die with their fork server; what they had started comes to this process.
void WorkerHost::sweep() {
    const bool all = sweep_all_children(
        [this](pid_t pid) { return children_.contains(pid) || not_ours_.contains(pid); });
    if (all) return;
    // Whatever hangs is not waited for again.
    for (const pid_t pid : certcast::children()) {
        if (!children_.contains(pid)) not_ours_.insert(pid);
    }
}

}  // namespace certcast
