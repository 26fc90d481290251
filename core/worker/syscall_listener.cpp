#include "core/worker/syscall_listener.hpp"

#include <boost/asio/post.hpp>

#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

// A plugin that makes nothing but refused calls must not keep others waiting.
constexpr int most_a_turn = 8;

}  // namespace

/// One call that waits. The sizes are the running kernel's, so the structures come from the
/// library, zeroed, as receiving wants them.
class SyscallListener::Notification {
public:
    Notification() {
        if (seccomp_notify_alloc(&request_, &response_) != 0) request_ = nullptr;
    }
    Notification(const Notification&) = delete;
    Notification& operator=(const Notification&) = delete;
    ~Notification() { seccomp_notify_free(request_, response_); }

    bool receive(int listener) {
        return request_ != nullptr && seccomp_notify_receive(listener, request_) == 0;
    }
    pid_t task() const { return static_cast<pid_t>(request_->pid); }
    SyscallRequest request() const {
        SyscallRequest request;
        request.number = request_->data.nr;
        std::copy_n(request_->data.args, request.arguments.size(), request.arguments.begin());
        return request;
    }
    void answer(int listener, const SyscallVerdict& verdict) {
        response_->id = request_->id;
        response_->error = -verdict.error;
        response_->flags = verdict.allowed() ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
        seccomp_notify_respond(listener, response_);  // it may have been killed meanwhile
    }

private:
    seccomp_notif* request_ = nullptr;
    seccomp_notif_resp* response_ = nullptr;
};

std::shared_ptr<SyscallListener> SyscallListener::start(asio::any_io_executor executor, Fd listener,
                                                        Decide decide, AtOnce at_once) {
    std::shared_ptr<SyscallListener> started(
        new SyscallListener(std::move(executor), std::move(listener), std::move(decide)));
    if (!at_once || !started->start_thread(std::move(at_once))) started->await_calls();
    return started;
}

SyscallListener::SyscallListener(asio::any_io_executor executor, Fd listener, Decide decide)
    : listener_(executor, listener.release()), decide_(std::move(decide)) {
    // The caller waits, so its processor is free for this process: SECCOMP_IOCTL_NOTIF_SET_FLAGS
    // with SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, of Linux 6.6. Older ones wake it elsewhere.
    constexpr std::uint64_t on_the_same_processor = 1;
    ioctl(listener_.native_handle(), _IOW('!', 4, std::uint64_t), on_the_same_processor);
}

SyscallListener::~SyscallListener() {
    close();
}

void SyscallListener::close() {
    if (thread_.joinable()) {
        ends_ = true;
        eventfd_write(wake_.get(), 1);
        thread_.join();
    }
    boost::system::error_code ignored;
    listener_.close(ignored);
}

bool SyscallListener::start_thread(AtOnce at_once) {
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return false;
    at_once_ = std::move(at_once);
    try {
        thread_ = std::thread([this, fd = listener_.native_handle()] { receive_calls(fd); });
    } catch (const std::system_error&) {
        return false;  // the loop does for all of them
    }
    return true;
}

void SyscallListener::receive_calls(int listener) {
    while (!ends_) {
        const bool has_room = handed_over_ < most_a_turn;
        pollfd entries[] = {{has_room ? listener : -1, POLLIN, 0}, {wake_.get(), POLLIN, 0}};
        poll(entries, 2, -1);
        eventfd_t ignored = 0;
        eventfd_read(wake_.get(), &ignored);
        if (entries[0].revents == 0) continue;
        if ((entries[0].revents & POLLIN) == 0) return;  // nobody is left under these rules
        const auto call = std::make_shared<Notification>();
        if (!call->receive(listener)) continue;  // its caller died meanwhile
        if (at_once_(call->task(), call->request())) {
            call->answer(listener, {});
            continue;
        }
        ++handed_over_;
        asio::post(listener_.get_executor(), [weak = weak_from_this(), call] {
            const auto self = weak.lock();
            if (!self) return;
            self->answer(*call);
            if (self->handed_over_-- == most_a_turn) eventfd_write(self->wake_.get(), 1);
        });
    }
}

void SyscallListener::answer(Notification& call) {
    if (!listener_.is_open()) return;
    const bool goes_on = at_once_ && at_once_(call.task(), call.request());
    const SyscallVerdict verdict =
        goes_on ? SyscallVerdict{} : decide_(call.task(), call.request());
    if (listener_.is_open()) call.answer(listener_.native_handle(), verdict);
}

void SyscallListener::await_calls() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || !self->listener_.is_open()) return;
        self->answer_calls();
        if (self->listener_.is_open()) self->await_calls();
    };
    listener_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

void SyscallListener::answer_calls() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(500);
    for (int count = 0; count < most_a_turn && listener_.is_open(); ++count) {
        if (count > 0 && std::chrono::steady_clock::now() > until) return;
        const int fd = listener_.native_handle();
        // Receiving waits where there is nothing.
        pollfd entry{fd, POLLIN, 0};
        if (poll(&entry, 1, 0) != 1) return;
        if ((entry.revents & POLLIN) == 0) return close();  // nobody is left under these rules
        Notification notification;
        if (!notification.receive(fd)) continue;  // its caller died meanwhile
        answer(notification);
    }
}

}  // namespace certcast
