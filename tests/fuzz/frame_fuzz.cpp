// Messages of a hostile worker, sent through a real socket and decoded as the host decodes them.
// The input is a row of messages, each `how` (u8) and bytes (u32 length first).

#include "core/worker/call_wire.hpp"
#include "core/worker/frame.hpp"
#include "core/worker/output_lines.hpp"
#include "tests/fuzz/expect.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace asio = boost::asio;

namespace {

using Bytes = std::span<const std::byte>;

// Bits of `how`.
constexpr unsigned fd_count = 0x07;  ///< descriptors that go with the message
constexpr unsigned in_memfd = 0x08;  ///< what comes after the header is in the first of them
constexpr unsigned not_sealed = 0x10;
constexpr unsigned reset = 0x20;  ///< the sender closes its end with the message unread

Fd memfd_of(Bytes content, bool sealed) {
    Fd memfd(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    expect(memfd && ::write(memfd.get(), content.data(), content.size()) ==
                        static_cast<ssize_t>(content.size()),
           "a memfd can be made");
    if (sealed) fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
    return memfd;
}

void send_message(int socket, unsigned how, Bytes bytes) {
    OutgoingFrame message;
    Bytes inline_bytes = bytes;
    if ((how & in_memfd) != 0 && bytes.size() >= frame_header_size) {
        inline_bytes = bytes.first(frame_header_size);
        message.fds.push_back(memfd_of(bytes.subspan(frame_header_size), (how & not_sealed) == 0));
    }
    while (message.fds.size() < std::min<std::size_t>(how & fd_count, most_frame_fds)) {
        message.fds.emplace_back(dup(socket));
    }
    message.bytes = Secret(inline_bytes);
    expect(send_frame(socket, message) != Sent::closed, "a message can be sent");
}

/// Answers every call at once, and fails some of them.
class Host : public HostCalls {
public:
    void log(LogLine line) override { expect(name_of(line.level) != "", "a log line has a level"); }
    void progress(std::uint32_t, std::string) override {}
    asio::awaitable<Result<Secret>> secret(std::string name, bool) override {
        if (name.empty()) co_return Error{ErrorCode::not_found, "no such secret", {}};
        co_return Secret(name);
    }
    asio::awaitable<Result<Secret>> material(MaterialQuery query) override {
        co_return std::move(query.password);
    }
    void denied(std::string) override {}
    Result<void> live(Live) override { return {}; }
    asio::awaitable<Result<void>> step(std::string, Secret) override { co_return Result<void>(); }
    asio::awaitable<Result<void>> step_undone(std::uint64_t index) override {
        if (index > 8) co_return Error{ErrorCode::invalid, "no such step", {}};
        co_return Result<void>();
    }
    asio::awaitable<Result<void>> set_state(Secret) override { co_return Result<void>(); }
    asio::awaitable<Result<void>> wait(Duration duration, std::string) override {
        expect(duration.count() >= 0, "nobody waits for the past");
        co_return Result<void>();
    }
    asio::awaitable<Result<CommandResult>> run_command(
        std::string param, std::vector<std::pair<std::string, std::string>>) override {
        co_return CommandResult{.timed_out = param.empty(), .output = Secret(param)};
    }
    asio::awaitable<Result<CommandResult>> request_reload(std::string, std::string) override {
        co_return CommandResult{};
    }
    Result<void> diagnose(Finding) override { return {}; }
    Result<void> set_changed(std::uint64_t, bool) override { return {}; }
    void output(std::string, std::string) override {}
    asio::awaitable<Result<Secret>> find(std::string, Secret refused, Duration patience) override {
        expect(patience.count() >= 0, "nobody waits for the past");
        co_return std::move(refused);
    }
    void keep(std::string, Secret, Duration lifetime) override {
        expect(lifetime.count() >= 0, "nothing is kept into the past");
    }
};

/// Decodes a frame as each kind of frame that it could be.
void use(const Frame& frame) {
    expect(frame.payload.size() <= longest_payload_of(frame.type) || frame.large.empty(),
           "no large frame is longer than its type allows");
    Host host;
    if (const auto line = decode_log(frame)) host.log(*line);
    if (const auto failure = decode_failure(frame)) {
        expect(name_of(failure->category) != "", "a failure has a category");
        expect(!failure->retry_after || failure->retry_after->count() > 0, "later is later");
    }
    take_told(frame, host);
    OutputLines lines;
    lines.take({reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()});
    lines.rest();

    Call call;
    call.type = frame.type;
    call.number = frame.call;
    call.payload = Secret(frame.payload);
    asio::io_context loop(1);
    bool answered = false;
    asio::co_spawn(loop, answer_call(std::move(call), host),
                   [&](std::exception_ptr exception, Result<Secret> reply) {
                       expect(!exception, "no exception leaves a call");
                       expect(!reply || reply->size() >= 12, "a reply is whole");
                       answered = true;
                   });
    loop.run();
    expect(answered, "a call is answered");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static std::array<std::byte, frame_buffer_size> buffer;
    auto sockets = make_socket_pair();
    expect(sockets.has_value(), "there are sockets");
    wire::Reader in(std::as_bytes(std::span(data, size)));
    while (!in.finished()) {
        const unsigned how = in.u8();
        const Bytes bytes = in.bytes();
        if (!in.ok()) break;
        send_message(sockets->theirs.get(), how, bytes);
        if ((how & reset) != 0) sockets->theirs = Fd();
        auto received = receive_frame(sockets->ours.get(), buffer, {});
        if (!received) break;  // a violation ends the worker
        if (const auto* frame = std::get_if<Frame>(&*received)) use(*frame);
        if (std::holds_alternative<Closed>(*received) || !sockets->theirs) break;
    }
    drop_frames(sockets->ours.get(), {});
    return 0;
}
