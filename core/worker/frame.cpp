#include "core/worker/frame.hpp"

#include "core/base/secret.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace certcast {

namespace {

struct Header {
    std::uint32_t type;
    std::uint32_t call;
    std::uint32_t size;
    std::uint32_t in_memfd;
};
static_assert(sizeof(Header) == frame_header_size);
static_assert(sizeof(Header) + longest_inline_payload <= frame_buffer_size);

constexpr unsigned required_seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

// Room for as many as the kernel passes on (SCM_MAX_FD): what does not fit it closes while it
// receives, and closing a socket that lingers would block us.
constexpr std::size_t most_passed_fds = 253;
struct ControlBuffer {
    alignas(
        cmsghdr) char bytes[CMSG_SPACE(most_passed_fds * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
};

Error violation(std::string message) {
    return {ErrorCode::protocol, std::move(message), {}};
}

// Every descriptor that arrived is owned from here on, whatever else is wrong with the message.
std::vector<Fd> take_fds(msghdr& message) {
    std::vector<Fd> fds;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            // Closing a socket that lingers would block whoever received it.
            const linger none{};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

/// One recvmsg, with room for whatever descriptors come along.
class Incoming {
public:
    explicit Incoming(std::span<std::byte> buffer) : part_{buffer.data(), buffer.size()} {
        message_.msg_iov = &part_;
        message_.msg_iovlen = 1;
        message_.msg_control = control_.bytes;
        message_.msg_controllen = sizeof control_.bytes;
    }
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    ~Incoming() = default;

    /// As recvmsg returns it, without waiting.
    ssize_t receive(int socket) {
        for (;;) {
            const ssize_t size = recvmsg(socket, &message_, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
            if (size >= 0 || errno != EINTR) return size;
        }
    }
    std::vector<Fd> take_fds() { return certcast::take_fds(message_); }
    bool has(int flag) const { return (message_.msg_flags & flag) != 0; }
    bool came_alone() const { return message_.msg_controllen == 0; }

private:
    iovec part_;
    ControlBuffer control_;
    msghdr message_{};
};

// Seals first, then size, then pread: the sender keeps the descriptor and may be hostile.
Result<Secret> read_sealed(int memfd, std::size_t size) {
    const int seals = fcntl(memfd, F_GET_SEALS);
    if (seals < 0 || (static_cast<unsigned>(seals) & required_seals) != required_seals) {
        return violation("a large frame came in something that is not a sealed memfd");
    }
    struct stat status {};
    if (fstat(memfd, &status) != 0 || status.st_size < 0 ||
        static_cast<std::size_t>(status.st_size) != size) {
        return violation("a large frame is not as long as its header says");
    }
    Secret bytes = Secret::of_size(size);
    for (std::size_t done = 0; done < size;) {
        const ssize_t got =
            pread(memfd, bytes.data() + done, size - done, static_cast<off_t>(done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return violation("a large frame could not be read");
        done += static_cast<std::size_t>(got);
    }
    return bytes;
}

Result<Fd> make_sealed(std::span<const std::byte> payload) {
    Fd memfd(memfd_create("certcast-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memfd) return system_error("cannot make a memfd for a large frame", errno);
    for (std::size_t done = 0; done < payload.size();) {
        const ssize_t written = ::write(memfd.get(), payload.data() + done, payload.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return system_error("cannot write a large frame", errno);
        done += static_cast<std::size_t>(written);
    }
    // While the kernel moves pages it calls a memfd busy that nobody else has; it has waited
    // itself.
    constexpr int most_attempts = 10;
    for (int attempt = 1; fcntl(memfd.get(), F_ADD_SEALS, required_seals | F_SEAL_SEAL) != 0;
         ++attempt) {
        if (errno != EBUSY || attempt == most_attempts) {
            return system_error("cannot seal a large frame", errno);
        }
    }
    return memfd;
}

}  // namespace

std::size_t longest_payload_of(FrameType type) {
    constexpr std::size_t mebibyte = 1024 * 1024;
    switch (type) {
        case FrameType::described:
        case FrameType::command:
        case FrameType::confine:
        case FrameType::spawn:
        case FrameType::job:
        case FrameType::run_stage:
        case FrameType::reply:
            return longest_payload;
        case FrameType::step:
            return 17 * mebibyte;
        case FrameType::live:
        case FrameType::keep:
        case FrameType::find:
        case FrameType::set_state:
        case FrameType::run_command:
            return 3 * mebibyte;
        default:
            return longest_inline_payload;
    }
}

bool is_from_host(FrameType type) {
    switch (type) {
        case FrameType::spawn:
        case FrameType::confine:
        case FrameType::command:
        case FrameType::job:
        case FrameType::run_stage:
        case FrameType::finish:
        case FrameType::reply:
            return true;
        default:
            return false;
    }
}

namespace {

/// Of `size` bytes in the buffer. Descriptors that the frame does not take are left in `fds`.
Result<Received> read_frame(int socket, std::span<std::byte> buffer, ssize_t size,
                            const Incoming& incoming, std::vector<Fd>& fds, const Intake& intake) {
    if (size == 0) {
        // A message without a byte looks like the end of a connection that goes on.
        pollfd end{socket, POLLRDHUP, 0};
        poll(&end, 1, 0);
        if (end.revents == 0) return violation("a frame is empty");
        return Received(Closed{});
    }
    if (incoming.has(MSG_CTRUNC)) {
        return violation("a descriptor could not be received; are too many files open?");
    }
    if (incoming.has(MSG_TRUNC)) return violation("a frame is longer than a frame can be");
    if (fds.size() > most_frame_fds) return violation("a frame carries too many descriptors");
    Header header{};
    if (static_cast<std::size_t>(size) < sizeof header) return violation("a frame is too short");
    std::memcpy(&header, buffer.data(), sizeof header);
    const std::size_t inline_size = static_cast<std::size_t>(size) - sizeof header;

    Frame frame;
    frame.type = static_cast<FrameType>(header.type);
    frame.call = header.call;
    if (is_from_host(frame.type) != intake.from_host) {
        return violation("a frame is of a type that its sender does not send");
    }
    if (header.in_memfd != 0) {
        if (inline_size != 0 || fds.size() != 1) {
            return violation("a large frame is malformed");
        }
        if (header.size > std::min(longest_payload_of(frame.type), intake.longest)) {
            return violation("a frame is longer than one of its type can be");
        }
        auto bytes = read_sealed(fds.front().get(), header.size);
        if (!bytes) return bytes.error();
        frame.large = std::move(*bytes);
        frame.payload = frame.large.bytes();
        return Received(std::move(frame));
    }
    if (inline_size != header.size) {
        return violation("a frame is not as long as its header says");
    }
    frame.fds = std::move(fds);
    frame.payload = buffer.subspan(sizeof header, inline_size);
    return Received(std::move(frame));
}

void discard(std::vector<Fd> fds, const Intake& intake) {
    if (!fds.empty() && intake.discard) intake.discard(std::move(fds));
}

}  // namespace

Result<Received> receive_frame(int socket, std::span<std::byte> buffer, const Intake& intake) {
    Incoming incoming(buffer);
    ssize_t size = incoming.receive(socket);
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Received(NothingYet{});
        // The peer died with unread data; what it sent before can still lie behind this.
        if (errno == ECONNRESET) size = incoming.receive(socket);
        if (size < 0) return Received(Closed{});
    }
    std::vector<Fd> fds = incoming.take_fds();
    auto received = read_frame(socket, buffer, size, incoming, fds, intake);
    discard(std::move(fds), intake);
    return received;
}

void drop_frames(int socket, const Intake& intake) {
    // With credentials asked for, an empty message is told from the end.
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
    constexpr int most_left = 4096;  // more than a socket holds
    for (int count = 0; count < most_left; ++count) {
        std::byte ignored{};
        Incoming incoming({&ignored, 1});
        const ssize_t size = incoming.receive(socket);
        if (size < 0 && errno != ECONNRESET) return;
        if (size == 0 && incoming.came_alone()) return;
        if (size >= 0) discard(incoming.take_fds(), intake);
    }
}

Result<OutgoingFrame> make_frame(FrameType type, std::uint32_t call,
                                 std::span<const std::byte> payload, std::vector<Fd> fds) {
    if (payload.size() > longest_payload) {
        return Error{ErrorCode::invalid,
                     "a message of " + std::to_string(payload.size()) +
                         " bytes is too long: at most " + std::to_string(longest_payload) +
                         " can be sent",
                     {}};
    }
    if (fds.size() > most_frame_fds) {
        return Error{ErrorCode::internal, "a frame carries too many descriptors", {}};
    }
    OutgoingFrame frame;
    Header header{static_cast<std::uint32_t>(type), call,
                  static_cast<std::uint32_t>(payload.size()), 0};
    const bool fits = payload.size() <= longest_inline_payload;
    if (!fits) {
        auto memfd = make_sealed(payload);
        if (!memfd) return memfd.error();
        header.in_memfd = 1;
        fds.clear();
        fds.push_back(std::move(*memfd));
        payload = {};
    }
    frame.bytes = Secret::of_size(sizeof header + payload.size());
    std::memcpy(frame.bytes.data(), &header, sizeof header);
    if (!payload.empty()) {
        std::memcpy(frame.bytes.data() + sizeof header, payload.data(), payload.size());
    }
    frame.fds = std::move(fds);
    return frame;
}

Sent send_frame(int socket, const OutgoingFrame& frame) {
    iovec part{const_cast<std::byte*>(frame.bytes.bytes().data()), frame.bytes.size()};
    ControlBuffer control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!frame.fds.empty()) {
        std::array<int, most_frame_fds> fds{};
        const std::size_t count = std::min(frame.fds.size(), fds.size());
        for (std::size_t i = 0; i < count; ++i) fds[i] = frame.fds[i].get();
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr* rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds.data(), count * sizeof(int));
    }
    while (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Sent::not_yet;
        // Too many descriptors of this user are on their way, or too little memory is there: the
        // socket takes them all the same, and nothing tells when.
        const bool passes = errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS;
        return passes ? Sent::later : Sent::closed;
    }
    return Sent::yes;
}

Result<SocketPair> make_socket_pair() {
    int fds[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        return system_error("cannot make a socket pair", errno);
    }
    return SocketPair{Fd(fds[0]), Fd(fds[1])};
}

}  // namespace certcast
