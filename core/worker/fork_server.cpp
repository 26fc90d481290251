#include "core/worker/fork_server.hpp"

#include "core/base/pidfd.hpp"
#include "core/worker/syscalls.hpp"
#include "core/worker/task_tree.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

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
                                                      ForkServerSetup setup) {
    auto sockets = make_socket_pair();
    if (!sockets) return sockets.error();
    auto process = spawn_worker_program(setup.program,
                                        {setup.cold_start ? "--serve-cold" : "--serve",
                                         std::to_string(getpid()), setup.library.string()},
                                        std::move(sockets->theirs), false);
    if (!process) return process.error();
    auto confine = make_frame(FrameType::confine, 0, setup.confinement.encoded().bytes());
    std::shared_ptr<ForkServer> server(new ForkServer(std::move(executor), std::move(sockets->ours),
                                                      std::move(*process), std::move(setup)));
    if (!confine) return confine.error();
    // A duplicate: end_process() needs the other.
    const int death = fcntl(server->supervisor_.pidfd.get(), F_DUPFD_CLOEXEC, 0);
    if (death < 0) return system_error("cannot watch a fork server", errno);
    server->death_.assign(death);
    server->queue_.push(std::move(*confine), server);
    server->await_frames();
    server->await_death();
    return server;
}

ForkServer::ForkServer(asio::any_io_executor executor, Fd socket, Process supervisor,
                       ForkServerSetup setup)
    : socket_(executor, socket.release()),
      death_(executor),
      supervisor_(std::move(supervisor)),
      setup_(std::move(setup)),
      intake_{.longest = longest_inline_payload, .discard = setup_.cleaning->closing()},
      dying_(executor) {}

ForkServer::~ForkServer() {
    end_process(supervisor_);
}

void ForkServer::spawn(std::uint64_t attempt, const WorkerPlace& place, std::vector<Fd> fds,
                       WorkerEvents events) {
    wire::Writer out;
    out.u64(attempt);
    out.text(place.work_folder);
    place.limits.encode(out);
    encode_paths(place.paths, out);
    forks_->add();
    ++not_started_;
    auto frame = make_frame(FrameType::spawn, 0, out.data(), std::move(fds));
    workers_.emplace(attempt, Worker{std::move(events)});
    if (!frame) {
        end(frame.error().text());
        return;
    }
    queue_.push(std::move(*frame), shared_from_this());
}

void ForkServer::kill(bool interrupted) {
    interrupted_ = interrupted_ || interrupted;
    kill_server();
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
        if (failure) return;
        if (self->gone_) return self->finish();
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
        auto received = receive_frame(socket_.native_handle(), shared_buffer(), intake_);
        if (!received) {
            end("its fork server broke the protocol: " + received.error().text());
        } else if (std::holds_alternative<NothingYet>(*received)) {
            return false;
        } else if (std::holds_alternative<Closed>(*received)) {
            end(load_error_.empty() ? unexpected_end : load_error_);
        } else {
            Frame& frame = std::get<Frame>(*received);
            handle(frame);
            intake_.discard(std::move(frame.fds));
        }
    }
    return !gone_;
}

void ForkServer::handle(Frame& frame) {
    wire::Reader in(frame.payload);
    if (frame.type == FrameType::load_failed) {
        const bool is_first = load_error_.empty();
        load_error_ = in.text();
        return in.finished() && is_first && !load_error_.empty()
                   ? void()
                   : end("its fork server broke the protocol");
    }
    if (frame.type == FrameType::confined) return listen(frame);
    const std::uint64_t attempt = in.u64();
    const auto worker = workers_.find(attempt);
    if (frame.type == FrameType::started) {
        const auto process = static_cast<pid_t>(in.u32());
        if (!in.finished() || process <= 0 || worker == workers_.end() ||
            worker->second.process != 0 || worker->second.ended || attempts_.contains(process)) {
            return end("its fork server broke the protocol");
        }
        Fd pidfd(pidfd_open(process, 0));
        // Its word is not taken for it: what the number names must be its child, and still live
        // after that was seen. One that has ended already needs no killing.
        if (!pidfd && errno != ESRCH) return end("its worker cannot be watched");
        if (pidfd && parent_of(process) != server_ && !has_ended(pidfd.get())) {
            return end("its fork server broke the protocol");
        }
        heard_of_one();
        worker->second.process = process;
        worker->second.pidfd = pidfd.get();
        attempts_[process] = attempt;
        worker->second.events.started(std::move(pidfd), process);
        return;
    }
    if (worker == workers_.end() || worker->second.ended != (frame.type == FrameType::swept)) {
        return end("its fork server broke the protocol");
    }
    if (frame.type == FrameType::swept) {
        if (!in.finished()) return end("its fork server broke the protocol");
        const auto swept = std::move(worker->second.events.swept);
        workers_.erase(worker);
        return swept();
    }
    WorkerExit exit;
    if (frame.type == FrameType::exited) {
        exit.swept = in.u8() != 0;
        exit.status = static_cast<int>(in.u32());
        exit.signal = static_cast<int>(in.u32());
        exit.cpu = Duration(in.i64());
        exit.most_memory = in.u64();
    } else if (frame.type == FrameType::spawn_failed) {
        exit.setup_error = in.text();
    }
    const bool known = frame.type == FrameType::exited || frame.type == FrameType::spawn_failed;
    const bool was_started = worker->second.process != 0;
    if (!known || !in.finished() || was_started != (frame.type == FrameType::exited)) {
        return end("its fork server broke the protocol");
    }
    const bool lives = worker->second.pidfd >= 0 && !has_ended(worker->second.pidfd);
    if (lives) return end("its fork server broke the protocol");
    if (!was_started) heard_of_one();
    has_served_ = has_served_ || was_started;
    const auto exited = std::move(worker->second.events.exited);
    attempts_.erase(worker->second.process);
    worker->second.ended = true;
    if (exit.swept) workers_.erase(worker);
    exited(std::move(exit));
}

void ForkServer::heard_of_one() {
    --not_started_;
    forks_->keep_at_most(not_started_);
}

// Said once, before the library is loaded; what comes later comes from foreign code.
void ForkServer::listen(Frame& frame) {
    wire::Reader in(frame.payload);
    ConfinedWords words;
    const std::size_t most_fds = setup_.cold_start ? 0 : 1;
    if (!ConfinedWords::read(in, words) || confined_ || frame.fds.size() > most_fds) {
        return end("its fork server broke the protocol");
    }
    confined_ = true;
    server_fd_ = Fd(pidfd_open(words.process, 0));
    if (!server_fd_ || parent_of(words.process) != supervisor_.pid) return end(unexpected_end);
    server_ = words.process;
    for (std::string& gap : words.gaps) setup_.tell_gap(std::move(gap));
    if (frame.fds.empty()) return;
    listener_ = SyscallListener::start(
        socket_.get_executor(), std::move(frame.fds.front()),
        [weak = weak_from_this()](pid_t task, const SyscallRequest& request) {
            const auto self = weak.lock();
            return self ? self->decide(task, request) : SyscallVerdict{ENOSYS, {}};
        },
        [server = server_, forks = forks_](pid_t task, const SyscallRequest& request) {
            return task == server && is_plain_fork(request) && forks->take();
        });
}

SyscallVerdict ForkServer::decide(pid_t task, const SyscallRequest& request) {
    const Rights& rights = setup_.confinement.grants.rights;
    if (task == server_) {
        const auto owns = [task](pid_t target) { return is_within(target, task); };
        SyscallVerdict verdict =
            judge(request, rights, {.process = task, .is_fork_server = true, .owns = owns});
        constexpr std::size_t most_told = 16;
        if (!verdict.denial.empty() && denials_.size() < most_told &&
            denials_.insert(verdict.denial).second) {
            setup_.tell_gap(setup_.library.string() + ": " + verdict.denial);
        }
        return verdict;
    }
    // It may ask before it was heard of.
    const auto is_worker = [this](pid_t pid) { return attempts_.contains(pid); };
    pid_t worker = nearest_ancestor(task, is_worker);
    if (worker == 0) {
        read_frames();
        worker = nearest_ancestor(task, is_worker);
    }
    // The server's word for it, which may be a lie: that a stranger is its worker, for instance.
    const auto attempt = attempts_.find(worker);
    if (gone_ || attempt == attempts_.end() || parent_of(worker) != server_) {
        return {EPERM, {}};
    }
    const auto owns = [worker](pid_t target) { return is_within(target, worker); };
    const auto known = workers_.find(attempt->second);
    if (known == workers_.end()) return {EPERM, {}};
    return known->second.events.asks(request, {.process = worker, .owns = owns});
}

// It is killed at once, and dies by and by: who has much memory takes some time for it.
void ForkServer::end(std::string why) {
    if (gone_) return;
    gone_ = true;
    why_gone_ = std::move(why);
    queue_.close();
    drop_frames(socket_.native_handle(), intake_);
    socket_.close();
    kill_server();
    if (has_ended(supervisor_.pidfd.get())) return finish();
    dying_.expires_after(std::chrono::milliseconds(longest_dying_ms));
    dying_.async_wait([self = shared_from_this()](boost::system::error_code) { self->finish(); });
}

// Its supervisor ends with it, and everything else before that. Before it is known it has started
// nothing, and goes with its supervisor.
void ForkServer::kill_server() {
    if (listener_) listener_->close();
    const Fd& target = server_fd_ ? server_fd_ : supervisor_.pidfd;
    if (target) pidfd_send_signal(target.get(), SIGKILL, nullptr, 0);
}

void ForkServer::finish() {
    if (finished_) return;
    finished_ = true;
    dying_.cancel();
    death_.close();
    const pid_t pid = supervisor_.pid;
    end_process(supervisor_, 0);
    setup_.gone(pid, [self = shared_from_this()] { self->tell_workers(); });
}

void ForkServer::tell_workers() {
    auto workers = std::move(workers_);
    workers_.clear();
    for (auto& [attempt, worker] : workers) {
        if (worker.ended) {
            worker.events.swept();
            continue;
        }
        WorkerExit exit;
        exit.server_gone = true;
        exit.interrupted = interrupted_;
        exit.setup_error = why_gone_;
        worker.events.exited(std::move(exit));
    }
}

}  // namespace certcast
