#include "core/worker/command_process.hpp"

#include "core/worker/frame.hpp"
#include "core/worker/shield.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;

Result<std::unique_ptr<CommandProcess>> CommandProcess::start(asio::any_io_executor executor,
                                                              const std::filesystem::path& program,
                                                              Command command) {
    if (command.argv.empty()) {
        return Error{ErrorCode::invalid, "a command needs at least the program to run", {}};
    }
    auto sockets = make_socket_pair();
    if (!sockets) return sockets.error();
    wire::Writer out;
    out.u32(static_cast<std::uint32_t>(command.argv.size()));
    for (const std::string& word : command.argv) out.text(word);
    out.u32(static_cast<std::uint32_t>(command.environment.size()));
    for (const auto& [name, value] : command.environment) out.text(name + "=" + value);
    std::error_code unknown;
    const auto folder = command.working_folder.empty() ? std::filesystem::current_path(unknown)
                                                       : command.working_folder;
    out.text(folder.string());
    out.u8(command.capture_stderr ? 1 : 0);
    auto frame = make_frame(FrameType::command, 0, out.data());
    if (!frame) return frame.error();
    auto process = spawn_worker_program(program, {"--command", std::to_string(getpid())},
                                        std::move(sockets->theirs), true);
    if (!process) return process.error();
    std::unique_ptr<CommandProcess> started(new CommandProcess(
        std::move(executor), std::move(sockets->ours), std::move(*process), std::move(command)));
    // The first frame of an empty socket always fits.
    started->broken_ = send_frame(started->socket_.native_handle(), *frame) != Sent::yes;
    return started;
}

CommandProcess::CommandProcess(asio::any_io_executor executor, Fd socket, Process process,
                               Command command)
    : socket_(executor, socket.release()),
      timeout_(executor),
      process_(std::move(process)),
      command_(std::move(command)) {}

CommandProcess::~CommandProcess() {
    end_process(process_);
}

void CommandProcess::take_output(std::span<const std::byte> piece) {
    const std::size_t room = command_.output_limit - result_.output.size();
    if (piece.size() > room) result_.truncated = true;
    const auto kept = piece.first(std::min(piece.size(), room));
    result_.output.append({reinterpret_cast<const char*>(kept.data()), kept.size()});
}

// False: nothing more will come.
bool CommandProcess::read_frames() {
    Secret buffer = Secret::of_size(frame_buffer_size);
    for (int count = 0; count < 32; ++count) {
        auto received = receive_frame(socket_.native_handle(), {buffer.data(), buffer.size()}, {});
        broken_ = !received || std::holds_alternative<Closed>(*received);
        if (broken_) return false;
        if (std::holds_alternative<NothingYet>(*received)) return true;
        const Frame& frame = std::get<Frame>(*received);
        if (frame.type == FrameType::command_output) {
            take_output(frame.payload);
        } else {
            wire::Reader in(frame.payload);
            exec_failure_ = static_cast<int>(in.u32());
            result_.status = static_cast<int>(in.u32());
            ended_ = frame.type == FrameType::command_ended && in.finished();
            broken_ = !ended_;
            return false;
        }
    }
    return true;
}

// Closing the socket tells the helper to kill everything below it and go.
asio::awaitable<void> CommandProcess::end_helper() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    // A duplicate: end_process() needs the other.
    const int death = fcntl(process_.pidfd.get(), F_DUPFD_CLOEXEC, 0);
    if (death < 0) co_return end_process(process_);
    asio::posix::stream_descriptor pidfd(timeout_.get_executor(), death);
    timeout_.expires_after(std::chrono::seconds(2));
    co_await asio::experimental::make_parallel_group(
        pidfd.async_wait(asio::posix::stream_descriptor::wait_read, asio::deferred),
        timeout_.async_wait(asio::deferred))
        .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    end_process(process_);
}

asio::awaitable<Result<CommandResult>> CommandProcess::result() {
    co_await asio::this_coro::throw_if_cancelled(false);
    timeout_.expires_after(command_.timeout);
    bool cancelled = false;
    while (!broken_ && read_frames()) {
        const auto [order, readable, late] =
            co_await asio::experimental::make_parallel_group(
                socket_.async_wait(asio::posix::stream_descriptor::wait_read, asio::deferred),
                timeout_.async_wait(asio::deferred))
                .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        const auto state = co_await asio::this_coro::cancellation_state;
        cancelled = state.cancelled() != asio::cancellation_type::none;
        result_.timed_out = order[0] == 1 && !late;
        if (cancelled || result_.timed_out) break;
    }
    const bool asked_meanwhile = co_await shielded(end_helper());
    if (cancelled || asked_meanwhile)
        co_return Error{ErrorCode::cancelled, "the command was stopped", {}};
    if (exec_failure_ != 0) {
        co_return system_error("cannot run \"" + command_.argv.front() + "\"", exec_failure_);
    }
    if (!ended_ && !result_.timed_out) {
        co_return Error{ErrorCode::internal,
                        "the helper that ran \"" + command_.argv.front() + "\" was killed",
                        {}};
    }
    co_return std::move(result_);
}

}  // namespace certcast
