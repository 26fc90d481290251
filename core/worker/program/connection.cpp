#include "core/worker/program/connection.hpp"

#include "core/worker/worker_wire.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <utility>

namespace certcast::program {

Connection::Connection(int socket, End how_to_end) : socket_(socket), end_(how_to_end) {
    fcntl(socket_, F_SETFD, FD_CLOEXEC);
}

void Connection::end(int status) const {
    end_(status);
    _exit(status);
}

void Connection::end_broken(const Error& why) const {
    dprintf(STDERR_FILENO, "certcast-worker: %s\n", why.text().c_str());
    end(exit_protocol);
}

void Connection::wait(short events) const {
    pollfd entry{socket_, events, 0};
    poll(&entry, 1, -1);
}

void Connection::send(FrameType type, std::uint32_t call, std::span<const std::byte> payload,
                      std::vector<Fd> fds) {
    const auto frame = make_frame(type, call, payload, std::move(fds));
    if (!frame) end_broken(frame.error());
    for (;;) {
        switch (send_frame(socket_, *frame)) {
            case Sent::yes:
                return;
            case Sent::not_yet:
                wait(POLLOUT);
                break;
            case Sent::later:
                poll(nullptr, 0, 1);
                break;
            case Sent::closed:
                end(exit_host_gone);
        }
    }
}

void Connection::send_text(FrameType type, std::string_view text) {
    wire::Writer out;
    out.text(text);
    send(type, 0, out.data());
}

bool Connection::try_receive(Frame& frame) {
    auto received = receive_frame(socket_, {buffer_.data(), buffer_.size()}, {.from_host = true});
    if (!received) end_broken(received.error());
    if (std::holds_alternative<Closed>(*received)) end(exit_host_gone);
    if (std::holds_alternative<NothingYet>(*received)) return false;
    frame = std::move(std::get<Frame>(*received));
    return true;
}

Frame Connection::receive() {
    Frame frame;
    while (!try_receive(frame)) wait(POLLIN);
    return frame;
}

}  // namespace certcast::program
