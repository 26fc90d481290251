#include "core/worker/frame_queue.hpp"

#include <chrono>
#include <utility>

namespace certcast {

using boost::asio::posix::stream_descriptor;

void FrameQueue::push(OutgoingFrame frame, std::shared_ptr<void> owner) {
    if (closed_) return;
    frames_.push_back(std::move(frame));
    flush(std::move(owner));
}

void FrameQueue::release(std::shared_ptr<void> owner) {
    waiting_ = false;
    flush(std::move(owner));
}

void FrameQueue::close() {
    closed_ = true;
    pause_.cancel();
    frames_.clear();
}

void FrameQueue::flush(std::shared_ptr<void> owner) {
    if (waiting_) return;
    while (!frames_.empty()) {
        const Sent sent = send_frame(socket_.native_handle(), frames_.front());
        if (sent == Sent::closed) return;
        if (sent == Sent::yes) {
            frames_.pop_front();
            continue;
        }
        waiting_ = true;
        auto again = [this, owner = std::move(owner)](boost::system::error_code failure) {
            waiting_ = false;
            if (!failure) flush(owner);
        };
        if (sent == Sent::not_yet) {
            socket_.async_wait(stream_descriptor::wait_write, std::move(again));
        } else {
            pause_.expires_after(std::chrono::milliseconds(1));
            pause_.async_wait(std::move(again));
        }
        return;
    }
}

}  // namespace certcast
