#pragma once

#include "core/worker/frame.hpp"

#include <span>
#include <string_view>

namespace certcast::program {

/// The near end of a frame socket in a process that may wait: fork server, worker, helper. When the
/// host is gone or breaks the protocol there is nothing left to do, so the process ends, by
/// `how_to_end`. What the process executes does not inherit the socket.
class Connection {
public:
    using End = void (*)(int status);

    Connection(int socket, End how_to_end);

    int socket() const { return socket_; }
    /// Waits until the frame is on its way.
    void send(FrameType type, std::uint32_t call, std::span<const std::byte> payload,
              std::vector<Fd> fds = {});
    void send_text(FrameType type, std::string_view text);
    /// Waits for a frame.
    Frame receive();
    /// False: there is none now.
    bool try_receive(Frame& frame);

private:
    void wait(short events) const;
    [[noreturn]] void end(int status) const;
    /// Its output says why.
    [[noreturn]] void end_broken(const Error& why) const;

    int socket_;
    End end_;
    Secret buffer_ = Secret::of_size(frame_buffer_size);
};

}  // namespace certcast::program
