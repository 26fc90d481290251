#include "core/worker/worker_link.hpp"

#include "core/base/byte_size.hpp"
#include "core/base/pidfd.hpp"
#include "core/worker/call_wire.hpp"
#include "core/worker/syscalls.hpp"
#include "core/worker/task_tree.hpp"
#include "core/worker/worker_wire.hpp"

#include <certcast/plugin.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

namespace certcast {

namespace asio = boost::asio;

namespace {

std::span<std::byte> shared_buffer() {
    static Secret buffer = Secret::of_size(frame_buffer_size);
    return {buffer.data(), buffer.size()};
}

constexpr std::uint64_t most_frames = 2'000'000;
constexpr std::uint64_t most_log_frames = 10'000;
constexpr std::uint64_t most_log_bytes = std::uint64_t{4} * 1024 * 1024;
constexpr std::uint64_t most_progress_frames = 10'000;
constexpr std::size_t longest_progress_text = 16 * 1024;
// Who asks without reading the answers would fill the host's memory with them.
constexpr std::size_t most_queued_frames = 16;
// Reading what is large takes time in which nobody else is heard.
constexpr std::uint64_t most_large_bytes = std::uint64_t{256} * 1024 * 1024;
constexpr std::uint64_t most_large_bytes_of_the_dead = std::uint64_t{16} * 1024 * 1024;
constexpr Duration longest_protect_of_all{10 * 60'000};
constexpr std::chrono::nanoseconds long_count{5'000'000};

/// Of its own, whoever else the processor worked for.
std::chrono::nanoseconds time_of_this_thread() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

WorkerLink::WorkerLink(asio::any_io_executor executor, std::shared_ptr<ForkServer> server,
                       std::uint64_t attempt, WorkerPlace place)
    : server_(std::move(server)),
      attempt_(attempt),
      place_(std::move(place)),
      socket_(executor),
      output_(executor),
      wake_(executor),
      most_large_bytes_(most_large_bytes),
      intake_{.discard = server_->cleaning().closing()} {}

Result<void> WorkerLink::start(const SessionRequest& request, HostCalls& calls) {
    auto sockets = make_socket_pair();
    if (!sockets) return sockets.error();
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) return system_error("cannot make a pipe", errno);
    Fd output(pipe_fds[0]);
    Fd output_end(pipe_fds[1]);
    fcntl(output.get(), F_SETFL, O_NONBLOCK);
    // Two ends of a socket: one description shared with the worker could be made to block us.
    auto cancel = make_socket_pair();
    if (!cancel) return cancel.error();
    cancel_ = std::move(cancel->ours);
    socket_.assign(sockets->ours.release());
    output_.assign(output.release());

    std::vector<Fd> fds;
    fds.push_back(std::move(sockets->theirs));
    fds.push_back(std::move(cancel->theirs));
    fds.push_back(std::move(output_end));
    WorkerEvents events;
    events.started = [self = shared_from_this()](Fd pidfd, pid_t process) {
        self->pidfd_ = std::move(pidfd);
        self->process_ = process;
        // Without a descriptor it has ended, and its number may be anybody's.
        const bool lives = self->pidfd_ && !has_ended(self->pidfd_.get());
        const bool grouped = !lives || !self->place_.group || self->place_.group->add(process);
        if (!grouped && !has_ended(self->pidfd_.get())) {
            self->host_failure_ = "it cannot be put into its control group";
            self->kill();
        }
        if (self->kill_wanted_) self->kill();
        self->queue_.release(self);
    };
    events.exited = [self = shared_from_this()](WorkerExit exit) {
        if (self->gone_) return;
        if (self->place_.group) self->place_.group->kill();
        self->failed_ = true;
        self->exit_ = exit;
        // It need not wait for what others have left.
        if (exit.swept || !self->may_have_left_processes()) self->on_exit(std::move(exit));
    };
    events.swept = [self = shared_from_this()] { self->on_exit(self->exit_); };
    events.asks = [self = shared_from_this()](const SyscallRequest& asked,
                                              const SyscallCaller& caller) {
        return self->decide(asked, caller);
    };
    // It gets its job when it is known here: before that, what it asks for would be refused.
    queue_.hold();
    server_->spawn(attempt_, place_, std::move(fds), std::move(events));
    if (server_->is_cold()) {
        Confinement own = server_->confinement();
        own.grants.paths = place_.paths;
        send(FrameType::confine, 0, own.encoded().bytes());
    }
    begin_job(request, calls);
    await_frames();
    await_output();
    return {};
}

void WorkerLink::begin_job(const SessionRequest& request, HostCalls& calls) {
    calls_ = &calls;
    longest_protect_ = std::min(request.descriptor->longest_protect, longest_protect_of_all);
    send(FrameType::job, 0, encode_job(request, place_.work_folder).bytes());
}

bool WorkerLink::take(const SessionRequest& request, HostCalls& calls) {
    // A thread that the former one has left would go on in the next.
    const bool is_alone = was_asked() && tasks_ == 1;
    if (!alive() || stage_runs_ || !is_alone) return false;
    used_ = {};
    begin_job(request, calls);
    return true;
}

void WorkerLink::send(FrameType type, std::uint32_t call, std::span<const std::byte> payload) {
    if (queue_.size() >= most_queued_frames) return violate("it does not read what it asked for");
    auto frame = make_frame(type, call, payload);
    if (!frame) {
        host_failure_ = frame.error().text();
        kill();
        return notify();
    }
    queue_.push(std::move(*frame), shared_from_this());
}

void WorkerLink::await_frames() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_ || self->broken()) return;
        // A few a turn: one worker that floods must not keep the others waiting.
        self->read_frames(32, 1);
        if (!self->gone_ && !self->closed_) self->await_frames();
    };
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

void WorkerLink::read_frames(int most, int most_large) {
    int large = 0;
    for (int count = 0; count < most && large < most_large && !broken(); ++count) {
        auto received = receive_frame(socket_.native_handle(), shared_buffer(), intake_);
        if (!received) return violate(received.error().text());
        if (std::holds_alternative<NothingYet>(*received)) return;
        if (std::holds_alternative<Closed>(*received)) {
            closed_ = true;
            return;
        }
        Frame& frame = std::get<Frame>(*received);
        if (++used_.frames > most_frames) return violate("it sends without end");
        const std::size_t used = frame.large.empty() ? frame.payload.size() : 0;
        if (!frame.large.empty()) {
            ++large;
            used_.large_bytes += frame.large.size();
            if (used_.large_bytes > most_large_bytes_) return violate("it sends too much");
        }
        const auto payload = shared_buffer().last(shared_buffer().size() - frame_header_size);
        try {
            handle(frame);
        } catch (const std::exception& failure) {
            host_failure_ = std::string("certcast itself failed: ") + failure.what();
            kill();
            notify();
        }
        intake_.discard(std::move(frame.fds));
        wipe(payload.data(), used);  // former keys among it
    }
}

void WorkerLink::handle(Frame& frame) {
    if (calls_ == nullptr) return;
    wire::Reader in(frame.payload);
    if (frame.type == FrameType::confined) return listen(frame);
    if (!frame.fds.empty()) return violate("it sent a descriptor");
    if (frame.type == FrameType::stage_ended) {
        const std::uint32_t status = in.u32();
        const bool out_of_files = in.u8() != 0;
        if (!in.finished() || !stage_runs_ || call_pending_) {
            return violate("it ended a stage that did not run, or in the middle of a call");
        }
        stage_runs_ = false;
        stage_status_ = status;
        if (out_of_files && status != CERTCAST_OK) {
            exceed("files",
                   "it had " + std::to_string(place_.limits.files) + " files open and wanted more");
        }
        notify();
    } else if (frame.type == FrameType::result) {
        if (!in.finished()) return violate("its result holds something");
        result_ = true;
    } else if (frame.type == FrameType::log) {
        auto line = decode_log(frame);
        if (!line) return violate(line.error().message);
        count_output(frame.payload.size());
        const auto is_full = [this] {
            return used_.log_frames >= most_log_frames || used_.log_bytes >= most_log_bytes;
        };
        if (is_full()) return;
        ++used_.log_frames;
        used_.log_bytes += frame.payload.size();
        calls_->log(std::move(*line));
        if (is_full()) {
            calls_->log({LogLevel::warning, "it logs too much: nothing more is kept", {}, false});
        }
    } else if (frame.type == FrameType::progress) {
        const std::uint32_t permille = in.u32();
        std::string what(in.text(longest_progress_text));
        if (!in.finished()) return violate("its progress frame is malformed");
        if (++used_.progress_frames > most_progress_frames) return;
        calls_->progress(std::min<std::uint32_t>(permille, 1000), std::move(what));
    } else if (frame.type == FrameType::fail) {
        auto failure = decode_failure(frame);
        if (!failure) return violate(failure.error().message);
        if (!failure_) failure_ = std::move(*failure);
    } else if (frame.type == FrameType::protect || frame.type == FrameType::unprotect) {
        const bool on = frame.type == FrameType::protect;
        const Duration asked(
            on ? static_cast<std::int64_t>(std::min<std::uint64_t>(in.u64(), INT32_MAX)) : 0);
        protected_until_.reset();
        if (on) protected_until_ = Timer::clock_type::now() + std::min(asked, longest_protect_);
        send(FrameType::reply, frame.call, encode_reply(Secret()).bytes());
        notify();
    } else if (const auto told = stage_runs_ ? take_told(frame, *calls_) : std::nullopt) {
        if (!*told) return violate(told->error().message);
    } else {
        handle_call(frame);
    }
}

void WorkerLink::handle_call(const Frame& frame) {
    if (draining_) return;
    if (call_pending_) return violate("it called while a call of its was being answered");
    if (!stage_runs_) return violate("it called while no stage ran");
    call_pending_ = true;
    Call call;
    call.type = frame.type;
    call.number = frame.call;
    call.payload = Secret(frame.payload);
    const std::uint32_t number = frame.call;
    auto done = [self = shared_from_this(), number](std::exception_ptr exception,
                                                    Result<Secret> reply) {
        self->call_pending_ = false;
        if (exception)
            reply = encode_reply(Error{ErrorCode::internal, "certcast itself failed", {}});
        if (!reply) {
            self->violate(reply.error().message);
        } else if (!self->gone_) {
            self->send(FrameType::reply, number, reply->bytes());
        }
        self->notify();
    };
    asio::co_spawn(wake_.get_executor(), answer_call(std::move(call), *calls_),
                   asio::bind_cancellation_slot(stop_call_.slot(), std::move(done)));
}

void WorkerLink::await_output() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_ || self->calls_ == nullptr) return;
        if (self->read_output()) self->await_output();
    };
    output_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

bool WorkerLink::read_output() {
    const auto buffer = shared_buffer().first(16 * 1024);
    const ssize_t got = ::read(output_.native_handle(), buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    count_output(static_cast<std::uint64_t>(got));
    if (calls_ != nullptr) {
        for (std::string& line : used_.lines.take(
                 {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got)})) {
            calls_->log({LogLevel::info, std::move(line), {}, true});
        }
    }
    return true;
}

void WorkerLink::read_last_output() {
    for (int count = 0; count < 64; ++count) {
        const auto before = used_.lines.seen();
        if (!read_output() || used_.lines.seen() == before) break;
    }
    if (calls_ == nullptr) return;
    for (std::string& line : used_.lines.rest()) {
        calls_->log({LogLevel::info, std::move(line), {}, true});
    }
}

// Said once, by a worker that has not loaded anything yet.
void WorkerLink::listen(Frame& frame) {
    wire::Reader in(frame.payload);
    ConfinedWords words;
    if (!ConfinedWords::read(in, words) || confined_ || !server_->is_cold() ||
        frame.fds.size() > 1) {
        return violate("it says that it is confined");
    }
    confined_ = true;
    for (std::string& gap : words.gaps) server_->tell_gap(std::move(gap));
    if (frame.fds.empty()) return;
    listener_ = SyscallListener::start(
        wake_.get_executor(), std::move(frame.fds.front()),
        [weak = weak_from_this()](pid_t, const SyscallRequest& request) {
            const auto self = weak.lock();
            if (!self) return SyscallVerdict{ENOSYS, {}};
            const auto owns = [worker = self->process_](pid_t target) {
                return is_within(target, worker);
            };
            return self->decide(request, {.process = self->process_, .owns = owns});
        });
}

SyscallVerdict WorkerLink::decide(const SyscallRequest& request, const SyscallCaller& caller) {
    SyscallVerdict verdict = judge(request, server_->confinement().grants.rights, caller);
    const std::uint64_t most = place_.limits.processes;
    if (verdict.allowed() && kind_of(request.number) == SyscallKind::starts_process) {
        // At most so many are there; how many there are is looked at when it matters, and where
        // looking takes long not always: others are not heard meanwhile.
        if (most != 0 && tasks_ >= most) {
            if (Timer::clock_type::now() < next_count_) return {EAGAIN, {}};
            const auto begin = time_of_this_thread();
            const bool has_children = server_->confinement().grants.rights.exec;
            tasks_ =
                has_children ? count_tasks(caller.process, most) : count_threads(caller.process);
            const auto took = time_of_this_thread() - begin;
            if (took > long_count) next_count_ = Timer::clock_type::now() + 20 * took;
        }
        if (most != 0 && tasks_ >= most) {
            exceed("processes", "it had " + std::to_string(most) +
                                    " processes and threads at once and wanted more");
            return {EAGAIN, {}};
        }
        ++tasks_;
        has_started_processes_ = has_started_processes_ || starts_process(request);
    }
    constexpr std::size_t most_refused = 50'000;
    if (!verdict.allowed() && ++used_.refused > most_refused) {
        violate("it does nothing but make system calls that are refused");
    }
    constexpr std::size_t most_told = 64;
    if (!verdict.denial.empty() && used_.denials.size() < most_told &&
        used_.denials.insert(verdict.denial).second && calls_ != nullptr) {
        calls_->denied(verdict.denial);
    }
    return verdict;
}

void WorkerLink::count_output(std::uint64_t bytes) {
    used_.output_bytes += bytes;
    const std::uint64_t most = place_.limits.output;
    if (most == 0 || used_.output_bytes <= most) return;
    exceed("output", "it printed and logged more than " + to_byte_size(most));
}

void WorkerLink::exceed(std::string limit, std::string message) {
    if (!limit_) limit_ = limit_outcome(Stage::deploy, std::move(limit), std::move(message));
    kill();
    notify();
}

void WorkerLink::violate(std::string what) {
    if (!violation_) violation_ = "the worker broke the protocol: " + std::move(what);
    kill();
    notify();
}

void WorkerLink::kill() {
    failed_ = true;
    kill_wanted_ = true;
    if (pidfd_ && !gone_) pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0);
}

/// For each process and thread that it has started.
bool WorkerLink::was_asked() const {
    return server_->is_cold() ? listener_ != nullptr : server_->is_asked();
}

bool WorkerLink::may_have_left_processes() const {
    return has_started_processes_ || !was_asked();
}

void WorkerLink::on_exit(WorkerExit exit) {
    if (gone_) return;  // given up before
    exit_ = std::move(exit);
    exit_.group_out_of_memory = place_.group && place_.group->ran_out_of_memory();
    place_.group.reset();
    draining_ = true;
    // What it said before it died lies in the socket and the pipe; nobody else can add to it.
    most_large_bytes_ = used_.large_bytes + most_large_bytes_of_the_dead;
    constexpr int most_left = 4096;  // more than a socket holds
    read_frames(most_left, most_left);
    read_last_output();
    gone_ = true;
    stage_runs_ = false;
    queue_.close();
    stop_call_.emit(asio::cancellation_type::terminal);
    drop_frames(socket_.native_handle(), intake_);
    if (listener_) listener_->close();
    boost::system::error_code ignored;
    socket_.close(ignored);
    output_.close(ignored);
    server_->cleaning().remove(place_.work_folder);
    notify();
}

void WorkerLink::ask_to_stop(std::uint32_t reason) {
    const CancelMessage message{reason, stage_number_};
    const ssize_t sent =
        ::send(cancel_.get(), &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) kill();
    stop_call_.emit(asio::cancellation_type::terminal);
}

void WorkerLink::abandon() {
    calls_ = nullptr;
    if (gone_) return;
    kill();
    stop_call_.emit(asio::cancellation_type::terminal);
}

}  // namespace certcast
