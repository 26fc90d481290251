#include "core/report/patient_output.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace certcast {

namespace {

constexpr auto gathering = std::chrono::milliseconds(5);
constexpr std::size_t most_ahead = std::size_t{64} * 1024 * 1024;

/// 0, or errno.
int write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {
            // Whoever shares the terminal or pipe has made it one that does not block.
            pollfd reader{fd, POLLOUT, 0};
            poll(&reader, 1, -1);
            continue;
        }
        if (written < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
}

}  // namespace

PatientOutput::PatientOutput(int fd) : fd_(fd) {
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    writer_ = std::thread([this] { write_on(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

int PatientOutput::close() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_all();
    if (writer_.joinable()) writer_.join();
    return failure_;
}

PatientOutput::int_type PatientOutput::overflow(int_type character) {
    const char text = traits_type::to_char_type(character);
    return xsputn(&text, 1) == 1 ? character : traits_type::eof();
}

std::streamsize PatientOutput::xsputn(const char* text, std::streamsize size) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ahead_.size() < most_ahead || failure_ != 0; });
    if (failure_ != 0) return 0;
    const bool writer_sleeps = ahead_.empty();
    ahead_.append(text, static_cast<std::size_t>(size));
    if (writer_sleeps) changed_.notify_all();
    return size;
}

void PatientOutput::write_on() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return !ahead_.empty() || closing_; });
        // Whole lines at once, since each wake-up costs the host as much as a frame.
        changed_.wait_for(lock, gathering, [this] { return closing_; });
        if (ahead_.empty()) return;
        const std::string text = std::exchange(ahead_, {});
        lock.unlock();
        const int failure = write_all(fd_, text);
        lock.lock();
        failure_ = failure;
        changed_.notify_all();
        if (failure_ != 0) return;
    }
}

}  // namespace certcast
