#pragma once

#include "core/base/limits.hpp"
#include "core/worker/background_cleaning.hpp"
#include "core/worker/control_groups.hpp"
#include "core/worker/fork_allowance.hpp"
#include "core/worker/frame_queue.hpp"
#include "core/worker/grants.hpp"
#include "core/worker/syscall_listener.hpp"
#include "core/worker/worker_exit.hpp"
#include "core/worker/worker_program.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

namespace certcast {

/// What becomes of one worker; each but `asks` is called at most once, in this order. `swept` comes
/// only after an exit that was not swept yet.
struct WorkerEvents {
    std::function<void(Fd pidfd, pid_t process)> started;
    std::function<void(WorkerExit exit)> exited;
    std::function<void()> swept;
    /// A system call of it waits.
    std::function<SyscallVerdict(const SyscallRequest& request, const SyscallCaller& caller)> asks;
};

/// What a worker starts with.
struct WorkerPlace {
    std::string work_folder;
    std::set<PathGrant> paths;
    Limits limits;
    std::unique_ptr<ControlGroup> group;  ///< nullptr: this run has none
};

/// What to start a fork server with.
struct ForkServerSetup {
    std::filesystem::path program;  ///< certcast-worker
    std::filesystem::path library;
    bool cold_start = false;
    Confinement confinement;
    BackgroundCleaning* cleaning = nullptr;  ///< outlives all servers
    /// It has ended: `swept` is to be called when nothing is left of what it had started.
    std::function<void(pid_t, std::function<void()> swept)> gone;
    std::function<void(std::string gap)> tell_gap;  ///< something of the sandbox is not enforced
};

/// The host's end of one fork server: asks it for workers and hears how they end.
class ForkServer : public std::enable_shared_from_this<ForkServer> {
public:
    static Result<std::shared_ptr<ForkServer>> start(boost::asio::any_io_executor executor,
                                                     ForkServerSetup setup);
    ForkServer(const ForkServer&) = delete;
    ForkServer& operator=(const ForkServer&) = delete;
    ~ForkServer();

    /// Asks for a worker. `fds` are its socket, its cancel descriptor and its output.
    void spawn(std::uint64_t attempt, const WorkerPlace& place, std::vector<Fd> fds,
               WorkerEvents events);
    const Confinement& confinement() const { return setup_.confinement; }
    BackgroundCleaning& cleaning() const { return *setup_.cleaning; }
    /// Its workers confine themselves, each of them, and tell the gaps here.
    bool is_cold() const { return setup_.cold_start; }
    void tell_gap(std::string gap) const { setup_.tell_gap(std::move(gap)); }
    /// Whether it is asked here for each process that a worker starts.
    bool is_asked() const { return listener_ != nullptr; }
    /// `interrupted`: that is why its workers end.
    void kill(bool interrupted = false);
    bool is_interrupted() const { return interrupted_; }
    /// For one that does not even die.
    void give_up() { end("its fork server cannot be killed"); }
    /// Of what was started: the server's supervisor.
    pid_t pid() const { return supervisor_.pid; }
    bool usable() const { return !gone_; }
    /// A worker of it has come to an end.
    bool has_served() const { return has_served_; }
    /// Of one that is not usable any more.
    const std::string& why_gone() const { return why_gone_; }

private:
    struct Worker {
        WorkerEvents events;
        pid_t process = 0;
        bool ended = false;
        int pidfd = -1;  ///< of whoever was told that it started
    };

    ForkServer(boost::asio::any_io_executor executor, Fd socket, Process supervisor,
               ForkServerSetup setup);
    void await_frames();
    void await_death();
    bool read_frames();
    void handle(Frame& frame);
    void listen(Frame& frame);
    void heard_of_one();
    SyscallVerdict decide(pid_t task, const SyscallRequest& request);
    void end(std::string why);
    void kill_server();
    void finish();
    void tell_workers();

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::posix::stream_descriptor death_;  ///< of the supervisor, after that of the server
    Process supervisor_;
    pid_t server_ = 0;  ///< 0: it has not said yet who it is
    Fd server_fd_;
    ForkServerSetup setup_;
    std::unordered_map<std::uint64_t, Worker> workers_;
    std::unordered_map<pid_t, std::uint64_t> attempts_;  ///< by the worker's process
    const std::shared_ptr<ForkAllowance> forks_ = std::make_shared<ForkAllowance>();
    std::size_t not_started_ = 0;  ///< workers asked for of which nothing was heard
    bool confined_ = false;
    std::set<std::string> denials_;  ///< what its sandbox refused to the library itself
    std::shared_ptr<SyscallListener> listener_;
    FrameQueue queue_{socket_};
    const Intake intake_;
    std::string load_error_;
    bool interrupted_ = false;
    bool gone_ = false;
    bool finished_ = false;
    boost::asio::steady_timer dying_;
    std::string why_gone_;
    bool has_served_ = false;
};

}  // namespace certcast
