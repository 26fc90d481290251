#pragma once

#include "core/base/fd.hpp"
#include "core/worker/syscall_verdict.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace certcast {

/// The host's end of the system calls of sandboxed processes that wait for a decision, which is
/// made by the loop.
class SyscallListener : public std::enable_shared_from_this<SyscallListener> {
public:
    /// Asked about each, with the task that makes it.
    using Decide = std::function<SyscallVerdict(pid_t task, const SyscallRequest& request)>;
    /// Asked first, on a thread of this object: true lets the call go on without waiting for the
    /// loop's turn.
    using AtOnce = std::function<bool(pid_t task, const SyscallRequest& request)>;

    /// `listener` must never have been in the hands of foreign code, which could read from it too
    /// and leave this process waiting.
    static std::shared_ptr<SyscallListener> start(boost::asio::any_io_executor executor,
                                                  Fd listener, Decide decide,
                                                  AtOnce at_once = nullptr);
    SyscallListener(const SyscallListener&) = delete;
    SyscallListener& operator=(const SyscallListener&) = delete;
    ~SyscallListener();
    /// Every call that waits, and every later one, fails.
    void close();

private:
    class Notification;

    SyscallListener(boost::asio::any_io_executor executor, Fd listener, Decide decide);
    bool start_thread(AtOnce at_once);
    void receive_calls(int listener);
    void await_calls();
    void answer_calls();
    void answer(Notification& call);

    boost::asio::posix::stream_descriptor listener_;
    Decide decide_;
    AtOnce at_once_;
    std::atomic<int> handed_over_{0};  ///< calls from the thread to the loop
    std::atomic<bool> ends_ = false;
    Fd wake_;  ///< of the thread
    std::thread thread_;
};

}  // namespace certcast
