#pragma once

#include "core/plugin/descriptor.hpp"
#include "core/worker/frame_queue.hpp"
#include "core/worker/worker_exit.hpp"
#include "core/worker/worker_program.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace certcast {

/// What becomes of one worker; each is called at most once, exited last.
struct WorkerEvents {
    std::function<void(Fd pidfd)> started;
    std::function<void(WorkerExit exit)> exited;
};

/// The host's end of one fork server: asks it for workers and hears how they end.
class ForkServer : public std::enable_shared_from_this<ForkServer> {
public:
    /// `gone` is called when the process has ended and its workers were told so.
    static Result<std::shared_ptr<ForkServer>> start(boost::asio::any_io_executor executor,
                                                     const std::filesystem::path& program,
                                                     const Library& library,
                                                     std::function<void(pid_t)> gone);
    ForkServer(const ForkServer&) = delete;
    ForkServer& operator=(const ForkServer&) = delete;
    ~ForkServer();

    /// Asks for a worker. `fds` are its socket, its cancel descriptor and its output.
    void spawn(std::uint64_t attempt, const std::string& work_folder, std::vector<Fd> fds,
               WorkerEvents events);
    /// `interrupted`: that is why its workers end.
    void kill(bool interrupted = false);
    /// For one that does not even die.
    void give_up() { end("its fork server cannot be killed"); }
    pid_t pid() const { return process_.pid; }
    bool usable() const { return !gone_; }

private:
    ForkServer(boost::asio::any_io_executor executor, Fd socket, Process process,
               std::function<void(pid_t)> gone);
    void await_frames();
    void await_death();
    bool read_frames();
    void handle(Frame& frame);
    void end(std::string why);

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::posix::stream_descriptor death_;
    Process process_;
    std::function<void(pid_t)> when_gone_;
    std::unordered_map<std::uint64_t, WorkerEvents> workers_;
    FrameQueue queue_{socket_};
    std::string load_error_;
    bool interrupted_ = false;
    bool gone_ = false;
};

}  // namespace certcast
