#pragma once

#include "plugins/ssh/login.hpp"

#include <certcast/files.hpp>
#include <certcast/job.hpp>

#include <poll.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ssh {

using Deadline = std::chrono::steady_clock::time_point;

/// What has to be kept going while somebody waits for something else.
class Relay {
public:
    Relay() = default;
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    virtual ~Relay() = default;

    /// What it waits for itself.
    virtual void add_to(std::vector<pollfd>& fds) const = 0;
    /// Passes on what is there, without waiting.
    virtual void pass_on() = 0;
};

/// Waits for `events`, while `relay` goes on, where there is one. Throws where the job is to stop
/// or the time is up.
void wait_for(int fd, short events, Deadline until, const std::string& what,
              const certcast::Job& job, Relay* relay = nullptr);

/// A connection to the login's address and port: of several addresses the first that answers; one
/// that says nothing gets its share of the time.
certcast::detail::OpenFile connected(const Login& login, Deadline until, const certcast::Job& job);

/// Two connected ends, of which the first does not block.
std::pair<certcast::detail::OpenFile, certcast::detail::OpenFile> socket_pair();

/// The input and output of the login's proxy_command, which has begun.
certcast::detail::OpenFile through_proxy_command(const Login& login);

}  // namespace ssh
