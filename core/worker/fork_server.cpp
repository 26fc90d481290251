#include "core/worker/fork_server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace certcast {

namespace asio = boost::asio;

namespace {

// One buffer for all sockets: everything runs on one thread, and frames are used up at once.
std::span<std::byte> shared_buffer() {
    static std::array<std::byte, frame_buffer_size> buffer;
    return buffer;
}

const std::string unexpected_end = "its fork server ended unexpectedly";

}  // namespace

Result<std::shared_ptr<ForkServer>> ForkServer::start(asio::any_io_executor executor,
                                                      const std::filesystem::path& program,
                                                      const Library& library,
                                                      std::function<void(pid_t)> gone) {
    auto sockets = make_socket_pair();
    if (!sockets) return sockets.error();
    auto process = spawn_worker_program(program,
                                        {library.cold_start ? "--serve-cold" : "--serve",
                                         std::to_string(getpid()), library.path.string()},
                                        std::move(sockets->theirs), false);
    if (!process) return process.error();
    std::shared_ptr<ForkServer> server(new ForkServer(std::move(executor), std::move(sockets->ours),
                                                      std::move(*process), std::move(gone)));
    // A duplicate: end_process() needs the other.
    const int death = fcntl(server->process_.pidfd.get(), F_DUPFD_CLOEXEC, 0);
    if (death < 0) return system_error("cannot watch a fork server", errno);
    server->death_.assign(death);
    server->await_frames();
    server->await_death();
    return server;
}

ForkServer::ForkServer(asio::any_io_executor executor, Fd socket, Process process,
                       std::function<void(pid_t)> gone)
    : socket_(executor, socket.release()),
      death_(executor),
      process_(std::move(process)),
      when_gone_(std::move(gone)) {}

ForkServer::~ForkServer() {
    end_process(process_);
}

void ForkServer::spawn(std::uint64_t attempt, const std::string& work_folder, std::vector<Fd> fds,
                       WorkerEvents events) {
    wire::Writer out;
    out.u64(attempt);
    out.text(work_folder);
    auto frame = make_frame(FrameType::spawn, 0, out.data(), std::move(fds));
    workers_.emplace(attempt, std::move(events));
    if (!frame) {
        end(frame.error().text());
        return;
    }
    queue_.push(std::move(*frame), shared_from_this());
}

void ForkServer::kill(bool interrupted) {
    interrupted_ = interrupted_ || interrupted;
    if (process_.pid > 0) ::kill(process_.pid, SIGKILL);
}

void ForkServer::await_frames() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_) return;
        self->read_frames();
        if (!self->gone_) self->await_frames();
    };
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

// Its socket does not close with it where something that it started holds the other end too.
void ForkServer::await_death() {
    auto dead = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_) return;
        // What it said at last; but something else may go on talking.
        for (int round = 0; round < 100 && !self->gone_ && self->read_frames(); ++round) {
        }
        self->end(self->load_error_.empty() ? unexpected_end : self->load_error_);
    };
    death_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(dead));
}

/// True: there may be more.
bool ForkServer::read_frames() {
    for (int count = 0; count < 64 && !gone_; ++count) {
        auto received = receive_frame(socket_.native_handle(), shared_buffer());
        if (!received) {
            end("its fork server broke the protocol: " + received.error().text());
        } else if (std::holds_alternative<NothingYet>(*received)) {
            return false;
        } else if (std::holds_alternative<Closed>(*received)) {
            end(load_error_.empty() ? unexpected_end : load_error_);
        } else {
            handle(std::get<Frame>(*received));
        }
    }
    return !gone_;
}

void ForkServer::handle(Frame& frame) {
    wire::Reader in(frame.payload);
    if (frame.type == FrameType::load_failed) {
        load_error_ = in.text();
        return;
    }
    const auto worker = workers_.find(in.u64());
    if (frame.type == FrameType::started && frame.fds.size() == 1) {
        if (worker != workers_.end()) worker->second.started(std::move(frame.fds[0]));
        return;
    }
    WorkerExit exit;
    if (frame.type == FrameType::exited) {
        exit.status = static_cast<int>(in.u32());
        exit.signal = static_cast<int>(in.u32());
    } else if (frame.type == FrameType::spawn_failed) {
        exit.setup_error = in.text();
    }
    const bool known = frame.type == FrameType::exited || frame.type == FrameType::spawn_failed;
    if (!known || !in.finished()) return end("its fork server broke the protocol");
    if (worker == workers_.end()) return;
    const auto exited = std::move(worker->second.exited);
    workers_.erase(worker);
    exited(std::move(exit));
}

void ForkServer::end(std::string why) {
    if (gone_) return;
    gone_ = true;
    const auto keep = shared_from_this();
    const pid_t pid = process_.pid;
    end_process(process_);
    queue_.close();
    drop_frames(socket_.native_handle());
    socket_.close();
    death_.close();
    when_gone_(pid);  // sweeps what it left, before anybody hears of the end
    auto workers = std::move(workers_);
    workers_.clear();
    for (auto& [attempt, events] : workers) {
        WorkerExit exit;
        exit.server_gone = true;
        exit.interrupted = interrupted_;
        exit.setup_error = why;
        events.exited(std::move(exit));
    }
}

}  // namespace certcast
