#pragma once

#include <certcast/job.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

/// Keeps other deployments to the same nginx from switching files, by a lock on its configuration.
/// Half-switched pairs of one would fail the check of another.
class ConfigLock {
public:
    enum class Kind { alone, shared };

    /// Waits until it is had; throws when the stage is to stop.
    ConfigLock(const certcast::Job& job, const std::filesystem::path& config, Kind kind)
        : fd_(::open(config.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
        if (fd_ < 0) {
            throw std::system_error(errno, std::generic_category(),
                                    config.string() + ": cannot open nginx's configuration");
        }
        constexpr int longest_pause = 100;
        const int operation = (kind == Kind::alone ? LOCK_EX : LOCK_SH) | LOCK_NB;
        int pause = 1;
        while (::flock(fd_, operation) != 0) {
            const int error = errno;
            pollfd stop{job.cancel_fd(), POLLIN, 0};
            const bool stopped = error == EWOULDBLOCK && ::poll(&stop, 1, pause) > 0;
            if (error == EINTR || (error == EWOULDBLOCK && !stopped)) {
                pause = std::min(pause * 2, longest_pause);
                continue;
            }
            ::close(fd_);
            if (!stopped) {
                throw std::system_error(error, std::generic_category(),
                                        config.string() + ": cannot lock");
            }
            job.throw_if_cancelled();
            throw certcast::cancelled_error("stopped while waiting for the lock");
        }
    }
    ConfigLock(const ConfigLock&) = delete;
    ConfigLock& operator=(const ConfigLock&) = delete;
    ~ConfigLock() { ::close(fd_); }

private:
    int fd_;
};
