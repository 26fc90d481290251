#pragma once

#include "core/base/fd.hpp"
#include "core/worker/syscall_verdict.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <functional>
#include <memory>

namespace certcast {

/// The host's end of the system calls of sandboxed processes that wait for a decision.
class SyscallListener : public std::enable_shared_from_this<SyscallListener> {
public:
    /// Asked about each, with the task that makes it.
    using Decide = std::function<SyscallVerdict(pid_t task, const SyscallRequest& request)>;

    /// `listener` must never have been in the hands of foreign code, which could read from it too
    /// and leave this process waiting.
    static std::shared_ptr<SyscallListener> start(boost::asio::any_io_executor executor,
                                                  Fd listener, Decide decide);
    /// Every call that waits, and every later one, fails.
    void close();

private:
    SyscallListener(boost::asio::any_io_executor executor, Fd listener, Decide decide);
    void await_calls();
    void answer_calls();

    boost::asio::posix::stream_descriptor listener_;
    Decide decide_;
};

}  // namespace certcast
