#pragma once

#include "core/worker/frame.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>

namespace certcast {

/// Frames on their way to one peer, sent in order as its socket takes them; nobody waits for it.
/// How a peer that is gone ended is for the reading side to say.
class FrameQueue {
public:
    explicit FrameQueue(boost::asio::posix::stream_descriptor& socket) : socket_(socket) {}

    /// `owner` owns socket and queue, and lives until the frame has left or the queue is closed.
    void push(OutgoingFrame frame, std::shared_ptr<void> owner);
    /// Frames wait until they are released. None was pushed yet.
    void hold() { waiting_ = true; }
    void release(std::shared_ptr<void> owner);
    /// Nothing more is sent.
    void close();
    std::size_t size() const { return frames_.size(); }

private:
    void flush(std::shared_ptr<void> owner);

    boost::asio::posix::stream_descriptor& socket_;
    boost::asio::steady_timer pause_{socket_.get_executor()};
    std::deque<OutgoingFrame> frames_;
    bool waiting_ = false;
    bool closed_ = false;
};

}  // namespace certcast
