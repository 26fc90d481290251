#pragma once

#include "core/worker/command.hpp"
#include "core/worker/fork_servers.hpp"
#include "core/worker/granting.hpp"
#include "core/worker/session.hpp"
#include "core/worker/work_root.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace certcast {

/// All processes of a run: a fork server per library, sessions in their workers, and the operator's
/// commands. One per process: it makes this process the reaper of whatever they leave behind.
class WorkerHost : public SessionFactory, public CommandRunner {
public:
    /// `program` is certcast-worker. Work folders are made below `work_parent`, when one is needed.
    WorkerHost(boost::asio::any_io_executor executor, std::filesystem::path program,
               std::filesystem::path work_parent, std::uint32_t newest_landlock = UINT32_MAX);
    WorkerHost(const WorkerHost&) = delete;
    WorkerHost& operator=(const WorkerHost&) = delete;
    ~WorkerHost() override;

    boost::asio::awaitable<Result<std::unique_ptr<Session>>> start(SessionRequest request,
                                                                   HostCalls& calls) override;
    boost::asio::awaitable<Result<CommandResult>> run(Command command) override;

    /// A session like this will be started: its sandbox is made ready for it with others.
    void expect(const SessionRequest& request);
    /// What of the sandbox this machine could not enforce, each once.
    const std::set<std::string>& sandbox_gaps() const { return gaps_; }

    /// What control groups do for it: see ControlGroups. Empty: there are none.
    std::vector<std::string> group_powers() const;

    /// Kills every process at once and starts none any more: all of it ends as cancelled.
    void kill_all();

private:
    ForkServerSetup setup(std::uint32_t newest_landlock);
    Grants with_library(const WorkerNeeds& needs);
    boost::asio::awaitable<void> sweep();

    boost::asio::any_io_executor executor_;
    std::filesystem::path program_;
    std::filesystem::path work_parent_;
    std::optional<WorkRoot> work_root_;
    BackgroundCleaning cleaning_;
    std::shared_ptr<ControlGroups> groups_;
    ForkServers servers_;
    std::map<std::filesystem::path, std::set<PathGrant>> files_;  ///< of libraries
    std::set<std::string> gaps_;
    std::set<pid_t> not_ours_;  ///< children that were there before, or that do not die
    std::set<pid_t> children_;
    std::uint64_t next_attempt_ = 1;
    bool killed_ = false;
};

}  // namespace certcast
