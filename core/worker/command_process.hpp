#pragma once

#include "core/worker/command.hpp"
#include "core/worker/worker_program.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace certcast {

/// One command of the operator's in the care of a helper process, which ends with all that the
/// command started as soon as the socket to it closes.
class CommandProcess {
public:
    static Result<std::unique_ptr<CommandProcess>> start(boost::asio::any_io_executor executor,
                                                         const std::filesystem::path& program,
                                                         Command command);
    CommandProcess(const CommandProcess&) = delete;
    CommandProcess& operator=(const CommandProcess&) = delete;
    ~CommandProcess();

    pid_t pid() const { return process_.pid; }
    /// Waits for the end, the timeout or the caller's cancellation.
    boost::asio::awaitable<Result<CommandResult>> result();

private:
    CommandProcess(boost::asio::any_io_executor executor, Fd socket, Process process,
                   Command command);
    bool read_frames();
    void take_output(std::span<const std::byte> piece);
    boost::asio::awaitable<void> end_helper();

    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer timeout_;
    Process process_;
    Command command_;
    CommandResult result_;
    bool ended_ = false;
    int exec_failure_ = 0;
    bool broken_ = false;
};

}  // namespace certcast
