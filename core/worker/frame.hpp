#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/base/wire.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

namespace certcast {

/// What a frame says. The sender is in the comment; the payload is what the one function that
/// writes it and the one that reads it agree on.
enum class FrameType : std::uint32_t {
    // host to fork server, fork server to host
    spawn = 1,
    load_failed,
    described,
    started,
    spawn_failed,
    exited,
    confine,  // to a cold worker too, from which the answer comes
    confined,
    swept,  // after `exited`, where something was left of the attempt that ended, or of another
    // host to command helper and back
    command = 20,
    command_output,
    command_ended,
    // host to worker
    job = 40,  // another, too, when the stage `close` was run
    run_stage,
    finish,
    reply,
    // worker to host: no answer
    stage_ended = 60,
    result,
    log,
    progress,
    fail,
    live,
    diagnose,
    set_changed,
    output,
    keep,
    // worker to host: answered by a reply with the same call number
    secret = 80,
    material,
    step,
    step_undone,
    set_state,
    wait,
    protect,
    unprotect,
    run_command,
    request_reload,
    find,
};

/// A longer payload travels in a sealed memfd.
inline constexpr std::size_t longest_inline_payload = 60 * 1024;
/// Steps of a whole deployment travel in one frame.
inline constexpr std::size_t longest_payload = 64 * 1024 * 1024;
/// What is longer is not even read: who receives it would do nothing else meanwhile.
std::size_t longest_payload_of(FrameType type);
bool is_from_host(FrameType type);
inline constexpr std::size_t most_frame_fds = 4;
inline constexpr std::size_t frame_header_size = 16;

/// One received message. The payload is a view into the buffer it was received with, or into the
/// frame itself; nothing in it is trusted.
struct Frame {
    FrameType type{};
    std::uint32_t call = 0;
    std::span<const std::byte> payload;
    std::vector<Fd> fds;
    Secret large;
};

struct NothingYet {};
struct Closed {};
using Received = std::variant<Frame, NothingYet, Closed>;

/// What may arrive at a socket.
struct Intake {
    bool from_host = false;
    std::size_t longest = longest_payload;
    /// Takes the descriptors that nobody wants; without it they are closed.
    std::function<void(std::vector<Fd>)> discard = {};
};

/// Receives one frame without waiting. `buffer` holds at least frame_buffer_size bytes. An error is
/// a violation of the protocol, or the socket broke.
inline constexpr std::size_t frame_buffer_size = 64 * 1024;
Result<Received> receive_frame(int socket, std::span<std::byte> buffer, const Intake& intake);
/// Takes what nobody will read: closing a socket closes the descriptors that lie in it, and each
/// may be a socket that lingers, for as long as its sender likes.
void drop_frames(int socket, const Intake& intake);

/// A frame made ready to be sent: header and payload in one piece, or header and memfd. It may hold
/// a key.
struct OutgoingFrame {
    Secret bytes;
    std::vector<Fd> fds;
};
Result<OutgoingFrame> make_frame(FrameType type, std::uint32_t call,
                                 std::span<const std::byte> payload, std::vector<Fd> fds = {});

enum class Sent {
    yes,
    not_yet,  ///< it is full
    later,    ///< the system is short of something: in a moment
    closed,
};
/// Sends one frame without waiting.
Sent send_frame(int socket, const OutgoingFrame& frame);

struct SocketPair {
    Fd ours;
    Fd theirs;
};
/// A SOCK_SEQPACKET pair, non-blocking and close-on-exec.
Result<SocketPair> make_socket_pair();

}  // namespace certcast
