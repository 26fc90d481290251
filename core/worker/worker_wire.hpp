#pragma once

#include <cstdint>

namespace certcast {

/// Descriptors at which the programs of one attempt find what they were given.
inline constexpr int control_fd = 3;  ///< fork server and command helper: socket to the host
inline constexpr int attempt_fd = 3;  ///< worker: socket to the host
inline constexpr int cancel_fd = 4;   ///< worker: socket with a CancelMessage when it is to stop

/// Says to stop. One for a stage that has ended meanwhile means nothing.
struct CancelMessage {
    std::uint32_t reason;  ///< CERTCAST_CANCEL_USER and the like
    std::uint32_t stage;   ///< number of the stage in its session
};

/// Exit statuses of a worker that could not do its work; the host names them in its message.
inline constexpr int exit_host_gone = 120;
inline constexpr int exit_protocol = 121;
inline constexpr int exit_setup = 122;
inline constexpr int exit_out_of_memory = 123;

}  // namespace certcast
