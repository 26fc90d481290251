#include "plugins/ssh/transport.hpp"

#include "plugins/ssh/words.hpp"

#include <certcast/errors.hpp>

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>

namespace ssh {

namespace {

using certcast::detail::OpenFile;
using std::chrono::steady_clock;

struct FreeAddresses {
    void operator()(addrinfo* addresses) const { freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses addresses_of(const Login& login) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int status =
        getaddrinfo(login.address.c_str(), std::to_string(login.port).c_str(), &hints, &found);
    if (status == 0) return Addresses(found);
    const std::string message = login.address + " does not resolve: " + gai_strerror(status);
    if (status == EAI_AGAIN) throw certcast::network_error(message);
    throw certcast::network_error(message).permanent();
}

/// A host that is gone without a word is noticed, whether something is sent or not.
void keep_alive(int fd) {
    const auto set = [fd](int level, int option, int value) {
        ::setsockopt(fd, level, option, &value, sizeof(value));
    };
    constexpr int idle_seconds = 15;
    constexpr int interval_seconds = 5;
    constexpr int probes = 3;
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, interval_seconds);
    set(IPPROTO_TCP, TCP_KEEPCNT, probes);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, (idle_seconds + probes * interval_seconds) * 1000);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
}

std::optional<std::string> meaning_of(char letter, const Login& login) {
    switch (letter) {
        case 'h':
            return login.address;
        case 'n':
            return login.host;
        case 'p':
            return std::to_string(login.port);
        case 'r':
            return login.user;
        default:
            return std::nullopt;
    }
}

}  // namespace

void wait_for(int fd, short events, Deadline until, const std::string& what,
              const certcast::Job& job, Relay* relay) {
    const auto deadline = std::min(until, job.deadline());
    std::vector<pollfd> fds;
    for (;;) {
        job.throw_if_cancelled();
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
        if (left.count() <= 0) throw certcast::timeout_error(what + " did not answer in time");
        fds = {{fd, events, 0}, {job.cancel_fd(), POLLIN, 0}};
        if (relay != nullptr) relay->add_to(fds);
        const int count = ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
        if (count < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
        if (count > 0 && fds[0].revents != 0) return;
        if (count > 0 && relay != nullptr) relay->pass_on();
    }
}

OpenFile connected(const Login& login, Deadline until, const certcast::Job& job) {
    const Addresses addresses = addresses_of(login);
    int left = 0;
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) ++left;
    int error = 0;
    for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next, --left) {
        OpenFile fd(::socket(next->ai_family, next->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                             next->ai_protocol));
        if (fd.get() < 0) {
            error = errno;
            continue;
        }
        keep_alive(fd.get());
        error = ::connect(fd.get(), next->ai_addr, next->ai_addrlen) == 0 ? 0 : errno;
        if (error == EINPROGRESS) {
            const auto now = steady_clock::now();
            try {
                wait_for(fd.get(), POLLOUT, now + (until - now) / left, login.text(), job);
            } catch (const certcast::timeout_error&) {
                if (left == 1) throw;
                continue;
            }
            socklen_t size = sizeof(error);
            ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        }
        if (error == 0) return fd;
    }
    throw std::system_error(error, std::generic_category(), login.text() + ": cannot connect");
}

OpenFile through_proxy_command(const Login& login) {
    auto [ours, theirs] = socket_pair();
    const auto meaning = [&login](char letter) { return meaning_of(letter, login); };
    std::vector<std::string> words;
    for (const std::string& word : login.proxy_command) words.push_back(expanded(word, meaning));
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    pid_t child = -1;  // ends with its input, at the latest with the attempt
    const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        throw std::system_error(error, std::generic_category(),
                                login.text() + ": cannot start 'proxy_command' (" + words[0] + ")");
    }
    return std::move(ours);
}

std::pair<OpenFile, OpenFile> socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw std::system_error(errno, std::generic_category(), "socketpair");
    }
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return {OpenFile(ends[0]), OpenFile(ends[1])};
}

}  // namespace ssh
