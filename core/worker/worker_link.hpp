#pragma once

#include "core/base/fd.hpp"
#include "core/worker/fork_server.hpp"
#include "core/worker/frame.hpp"
#include "core/worker/frame_queue.hpp"
#include "core/worker/output_lines.hpp"
#include "core/worker/session.hpp"
#include "core/worker/worker_exit.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace certcast {

/// The host's end of one worker. Handlers refer to it, so it lives until the last of them has run.
class WorkerLink : public std::enable_shared_from_this<WorkerLink> {
public:
    using Timer = boost::asio::steady_timer;

    WorkerLink(boost::asio::any_io_executor executor, std::shared_ptr<ForkServer> server,
               std::uint64_t attempt, WorkerPlace place);

    /// Asks for the worker and tells it its job; both happen while the caller goes on.
    Result<void> start(const SessionRequest& request, HostCalls& calls);
    /// False: it can do no other job.
    bool take(const SessionRequest& request, HostCalls& calls);
    boost::asio::awaitable<Outcome> run(StageRequest request);
    boost::asio::awaitable<Outcome> finish(Duration timeout);
    bool alive() const { return !gone_ && !failed_; }
    void abandon();

private:
    /// What one job has sent and used, of what each may.
    struct Used {
        std::uint64_t frames = 0;
        std::uint64_t large_bytes = 0;
        std::uint64_t log_frames = 0;
        std::uint64_t log_bytes = 0;
        std::uint64_t progress_frames = 0;
        std::uint64_t output_bytes = 0;
        OutputLines lines;
        std::size_t refused = 0;        ///< system calls
        std::set<std::string> denials;  ///< what its sandbox refused
    };

    // What goes to the worker and comes from it: worker_link.cpp
    void begin_job(const SessionRequest& request, HostCalls& calls);
    void await_frames();
    void read_frames(int most, int most_large);
    void handle(Frame& frame);
    void handle_call(const Frame& frame);
    void await_output();
    bool read_output();
    void read_last_output();
    void listen(Frame& frame);
    SyscallVerdict decide(const SyscallRequest& request, const SyscallCaller& caller);
    void count_output(std::uint64_t bytes);
    void exceed(std::string limit, std::string message);
    void violate(std::string what);
    void send(FrameType type, std::uint32_t call, std::span<const std::byte> payload);
    void kill();
    void on_exit(WorkerExit exit);
    bool was_asked() const;
    bool may_have_left_processes() const;
    void ask_to_stop(std::uint32_t reason);
    void notify() { wake_.cancel(); }

    // Stages, their deadlines and how they end: worker_stages.cpp
    template <typename Done>
    boost::asio::awaitable<bool> wait_for(Done done, Timer::time_point until);
    template <typename Done>
    boost::asio::awaitable<bool> end_softly(Done done, std::uint32_t reason);
    Outcome stage_outcome(Stage stage) const;
    std::string denied() const;
    std::string file_hint(const std::string& message) const;
    bool broken() const;
    Outcome gone_outcome(Stage stage) const;
    Outcome stopped(Ended ended, Stage stage, Category category, std::string why) const;
    boost::asio::awaitable<void> die();

    std::shared_ptr<ForkServer> server_;
    std::uint64_t attempt_;
    WorkerPlace place_;
    Duration longest_protect_{};
    HostCalls* calls_ = nullptr;  ///< nullptr: the session is gone
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::posix::stream_descriptor output_;
    Timer wake_;
    Fd cancel_;
    std::uint32_t stage_number_ = 0;
    bool stage_runs_ = false;
    Duration grace_{};  ///< of the stage that runs or ran last
    Fd pidfd_;
    pid_t process_ = 0;
    std::shared_ptr<SyscallListener> listener_;  ///< of a cold worker
    bool confined_ = false;
    Used used_;
    bool has_started_processes_ = false;
    std::size_t tasks_ = 1;              ///< processes and threads, at most
    Timer::time_point next_count_ = {};  ///< before that they are not counted again
    std::optional<Outcome> limit_;
    FrameQueue queue_{socket_};
    bool kill_wanted_ = false;
    bool call_pending_ = false;
    bool closed_ = false;    ///< it has closed its end
    bool draining_ = false;  ///< the process is dead: what it asked for reaches nobody
    boost::asio::cancellation_signal stop_call_;
    std::uint64_t most_large_bytes_;  ///< more of them are a violation
    const Intake intake_;
    std::optional<Timer::time_point> protected_until_;
    std::optional<std::uint32_t> stage_status_;
    bool result_ = false;
    std::optional<Failure> failure_;
    std::optional<std::string> violation_;
    std::optional<std::string> host_failure_;
    bool gone_ = false;
    bool failed_ = false;  ///< killed or on its way out: no stage can run any more
    bool unkillable_ = false;
    WorkerExit exit_;
};

}  // namespace certcast
