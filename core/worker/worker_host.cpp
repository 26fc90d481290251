#include "core/worker/worker_host.hpp"

#include "core/worker/command_process.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/shield.hpp"
#include "core/worker/worker_link.hpp"
#include "core/worker/worker_session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <signal.h>

#include <chrono>
#include <exception>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

Error interrupted() {
    return {ErrorCode::cancelled, "the run was interrupted", {}};
}

}  // namespace

WorkerHost::WorkerHost(asio::any_io_executor executor, std::filesystem::path program,
                       std::filesystem::path work_parent, std::uint32_t newest_landlock)
    : executor_(std::move(executor)),
      program_(std::move(program)),
      work_parent_(std::move(work_parent)),
      servers_(executor_, setup(newest_landlock)),
      not_ours_(certcast::children()) {
    become_subreaper();
}

WorkerHost::~WorkerHost() {
    kill_all();
    servers_.drop_all();
    children_.clear();
    sweep_all_children([this](pid_t pid) { return not_ours_.contains(pid); });
}

ForkServerSetup WorkerHost::setup(std::uint32_t newest_landlock) {
    ForkServerSetup setup;
    setup.program = program_;
    setup.cleaning = &cleaning_;
    setup.confinement.newest_landlock = newest_landlock;
    setup.gone = [this](pid_t pid, std::function<void()> swept) {
        children_.erase(pid);
        asio::co_spawn(executor_, sweep(),
                       [swept = std::move(swept)](const std::exception_ptr&) { swept(); });
    };
    setup.tell_gap = [this](std::string gap) { gaps_.insert(std::move(gap)); };
    return setup;
}

Grants WorkerHost::with_library(const WorkerNeeds& needs) {
    Grants grants = needs.grants;
    if (grants.rights.sandbox == Sandbox::off) return grants;
    const auto [files, is_new] = files_.try_emplace(needs.library->path);
    if (is_new) files->second = files_of(needs.library->path);
    grants.paths.insert(files->second.begin(), files->second.end());
    return grants;
}

void WorkerHost::expect(const SessionRequest& request) {
    const WorkerNeeds needs = needs_of(request);
    servers_.expect(*needs.library, with_library(needs), needs.limits.memory);
}

asio::awaitable<Result<std::unique_ptr<Session>>> WorkerHost::start(SessionRequest request,
                                                                    HostCalls& calls) {
    if (killed_) co_return interrupted();
    if (!work_root_) {
        auto made = WorkRoot::make(work_parent_);
        if (!made) co_return made.error();
        work_root_.emplace(std::move(*made));
        groups_ = ControlGroups::find();
    }
    WorkerNeeds needs = needs_of(request);
    Grants grants = with_library(needs);
    auto server = servers_.serving(*needs.library, grants, needs.limits.memory, work_root_->path());
    if (!server) co_return server.error();
    children_.insert((*server)->pid());
    const std::uint64_t attempt = next_attempt_++;
    WorkerPlace place;
    place.work_folder = (*server)->confinement().work_folder + "/" + std::to_string(attempt);
    place.paths = std::move(grants.paths);
    place.limits = needs.limits;
    if (groups_) {
        auto group = groups_->take(place.limits);
        if (!group) co_return group.error();
        place.group = std::move(*group);
    }
    auto link =
        std::make_shared<WorkerLink>(executor_, std::move(*server), attempt, std::move(place));
    if (auto started = link->start(request, calls); !started) co_return started.error();
    co_return std::make_unique<WorkerSession>(std::move(needs), std::move(link));
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
    co_await shielded(sweep());  // what its helper could not end, because it was killed itself
    if (killed_) co_return interrupted();
    co_return result;
}

std::vector<std::string> WorkerHost::group_powers() const {
    return groups_ ? groups_->powers() : std::vector<std::string>{};
}

void WorkerHost::kill_all() {
    killed_ = true;
    servers_.kill_all();
    for (const pid_t child : children_) kill(child, SIGKILL);
}

// Workers die with their fork server; what they had started comes to this process.
asio::awaitable<void> WorkerHost::sweep() {
    const auto is_known = [this](pid_t pid) {
        return children_.contains(pid) || not_ours_.contains(pid);
    };
    asio::steady_timer pause(executor_);
    constexpr int most_rounds = 500;
    for (int round = 0; round < most_rounds; ++round) {
        if (!sweep_children(is_known)) co_return;
        pause.expires_after(std::chrono::milliseconds(1));
        boost::system::error_code ignored;
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    // Whatever hangs is not waited for again.
    for (const pid_t pid : certcast::children()) {
        if (!children_.contains(pid)) not_ours_.insert(pid);
    }
}

}  // namespace certcast
