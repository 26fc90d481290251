#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace certcast::testing {

/// Listens on a port of its own and answers one client after the other, on a thread.
class AcceptingServer {
public:
    /// `answer` is given each client's socket, which is closed when it returns.
    explicit AcceptingServer(std::function<void(int)> answer)
        : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
          stop_(eventfd(0, EFD_CLOEXEC)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        if (bind(listener_, raw, size) != 0 || listen(listener_, 64) != 0 ||
            getsockname(listener_, raw, &size) != 0) {
            throw std::runtime_error("no port to listen on");
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, answer = std::move(answer)] { accept_until_stopped(answer); });
    }
    AcceptingServer(const AcceptingServer&) = delete;
    AcceptingServer& operator=(const AcceptingServer&) = delete;
    ~AcceptingServer() {
        eventfd_write(stop_, 1);
        thread_.join();
        close(listener_);
        close(stop_);
    }

    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

private:
    void accept_until_stopped(const std::function<void(int)>& answer) const {
        for (;;) {
            pollfd polled[]{{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
            if (poll(polled, 2, -1) < 0) continue;
            if (polled[1].revents != 0) return;
            const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (client < 0) continue;
            answer(client);
            close(client);
        }
    }

    int listener_;
    int stop_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace certcast::testing
