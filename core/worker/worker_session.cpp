#include "core/worker/worker_session.hpp"

#include "core/base/pidfd.hpp"
#include "core/worker/call_wire.hpp"
#include "core/worker/output_lines.hpp"
#include "core/worker/worker_wire.hpp"

#include <certcast/plugin.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>

namespace certcast {

namespace asio = boost::asio;
using Timer = asio::steady_timer;
using TimePoint = Timer::time_point;

namespace {

std::span<std::byte> shared_buffer() {
    static std::array<std::byte, frame_buffer_size> buffer;
    return buffer;
}

constexpr std::uint64_t most_log_frames = 10'000;
constexpr std::uint64_t most_progress_frames = 10'000;
constexpr std::size_t longest_progress_text = 16 * 1024;
// Who asks without reading the answers would fill the host's memory with them.
constexpr std::size_t most_queued_frames = 16;
constexpr Duration longest_protect_of_all{10 * 60'000};
// A killed process is gone in milliseconds; if not, its fork server is what hangs.
constexpr auto longest_dying = std::chrono::seconds(5);

}  // namespace

/// Everything about one worker that handlers refer to; lives until the last of them has run.
class WorkerSession::Link : public std::enable_shared_from_this<Link> {
public:
    Link(asio::any_io_executor executor, std::shared_ptr<ForkServer> server, std::uint64_t attempt,
         std::string work_folder, Duration longest_protect, HostCalls& calls)
        : server_(std::move(server)),
          attempt_(attempt),
          work_folder_(std::move(work_folder)),
          longest_protect_(std::min(longest_protect, longest_protect_of_all)),
          calls_(&calls),
          socket_(executor),
          output_(executor),
          wake_(executor) {}

    Result<void> start(const SessionRequest& request);
    asio::awaitable<Outcome> run(StageRequest request);
    asio::awaitable<Outcome> finish(Duration timeout);
    bool alive() const { return !gone_ && !failed_; }
    void abandon();

private:
    void await_frames();
    void read_frames(int most);
    void handle(Frame frame);
    void handle_call(Frame frame);
    void await_output();
    bool read_output();
    void violate(std::string what);
    void send(FrameType type, std::uint32_t call, std::span<const std::byte> payload);
    void kill();
    void on_exit(WorkerExit exit);
    void ask_to_stop(std::uint32_t reason);
    void notify() { wake_.cancel(); }
    template <typename Done>
    asio::awaitable<bool> wait_for(Done done, TimePoint until);
    Outcome stage_outcome(Stage stage) const;
    Outcome gone_outcome(Stage stage) const;
    asio::awaitable<void> die();

    std::shared_ptr<ForkServer> server_;
    std::uint64_t attempt_;
    std::string work_folder_;
    Duration longest_protect_;
    HostCalls* calls_;  ///< nullptr: the session is gone
    asio::posix::stream_descriptor socket_;
    asio::posix::stream_descriptor output_;
    Timer wake_;
    Fd cancel_;
    std::uint32_t stage_number_ = 0;
    bool stage_runs_ = false;
    Fd pidfd_;
    OutputLines lines_;
    FrameQueue queue_{socket_};
    bool kill_wanted_ = false;
    bool call_pending_ = false;
    bool draining_ = false;  ///< the process is dead: what it asked for reaches nobody
    asio::cancellation_signal stop_call_;
    std::uint64_t log_frames_ = 0;
    std::uint64_t progress_frames_ = 0;
    std::optional<TimePoint> protected_until_;
    std::optional<std::uint32_t> stage_status_;
    bool result_ = false;
    std::optional<Failure> failure_;
    std::optional<std::string> violation_;
    std::optional<std::string> host_failure_;
    bool gone_ = false;
    bool failed_ = false;  ///< killed or on its way out: no stage can run any more
    WorkerExit exit_;
};

Result<void> WorkerSession::Link::start(const SessionRequest& request) {
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
    events.started = [self = shared_from_this()](Fd pidfd) {
        self->pidfd_ = std::move(pidfd);
        if (self->kill_wanted_) self->kill();
    };
    events.exited = [self = shared_from_this()](WorkerExit exit) {
        self->on_exit(std::move(exit));
    };
    server_->spawn(attempt_, work_folder_, std::move(fds), std::move(events));
    send(FrameType::job, 0, encode_job(request, work_folder_).bytes());
    await_frames();
    await_output();
    return {};
}

void WorkerSession::Link::send(FrameType type, std::uint32_t call,
                               std::span<const std::byte> payload) {
    if (queue_.size() >= most_queued_frames) return violate("it does not read what it asked for");
    auto frame = make_frame(type, call, payload);
    if (!frame) {
        host_failure_ = frame.error().text();
        kill();
        return notify();
    }
    queue_.push(std::move(*frame), shared_from_this());
}

void WorkerSession::Link::await_frames() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_ || self->violation_) return;
        // A few a turn: one worker that floods must not keep the others waiting.
        self->read_frames(32);
        if (!self->gone_ && self->socket_.is_open()) self->await_frames();
    };
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

void WorkerSession::Link::read_frames(int most) {
    for (int count = 0; count < most && !violation_; ++count) {
        auto received = receive_frame(socket_.native_handle(), shared_buffer());
        if (!received) return violate(received.error().text());
        if (std::holds_alternative<NothingYet>(*received)) return;
        if (std::holds_alternative<Closed>(*received)) {
            boost::system::error_code ignored;
            if (!gone_) socket_.close(ignored);
            return;
        }
        Frame& frame = std::get<Frame>(*received);
        const std::size_t used = frame.large.empty() ? frame.payload.size() : 0;
        const auto payload = shared_buffer().last(shared_buffer().size() - frame_header_size);
        handle(std::move(frame));
        wipe(payload.data(), used);  // former keys among it
    }
}

void WorkerSession::Link::handle(Frame frame) {
    if (calls_ == nullptr) return;
    wire::Reader in(frame.payload);
    if (!frame.fds.empty()) return violate("it sent a descriptor");
    if (frame.type == FrameType::stage_ended) {
        const std::uint32_t status = in.u32();
        if (!in.finished() || !stage_runs_ || call_pending_) {
            return violate("it ended a stage that did not run, or in the middle of a call");
        }
        stage_runs_ = false;
        stage_status_ = status;
        notify();
    } else if (frame.type == FrameType::result) {
        result_ = true;
    } else if (frame.type == FrameType::log) {
        auto line = decode_log(frame);
        if (!line) return violate(line.error().message);
        if (++log_frames_ <= most_log_frames) calls_->log(std::move(*line));
        if (log_frames_ == most_log_frames) {
            calls_->log({LogLevel::warning, "it logs too much: nothing more is kept", {}, false});
        }
    } else if (frame.type == FrameType::progress) {
        const std::uint32_t permille = in.u32();
        std::string what(in.text(longest_progress_text));
        if (!in.finished()) return violate("its progress frame is malformed");
        if (++progress_frames_ > most_progress_frames) return;
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
    } else {
        handle_call(std::move(frame));
    }
}

void WorkerSession::Link::handle_call(Frame frame) {
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

void WorkerSession::Link::await_output() {
    auto ready = [self = shared_from_this()](boost::system::error_code failure) {
        if (failure || self->gone_ || self->calls_ == nullptr) return;
        if (self->read_output()) self->await_output();
    };
    output_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
}

bool WorkerSession::Link::read_output() {
    const auto buffer = shared_buffer().first(16 * 1024);
    const ssize_t got = ::read(output_.native_handle(), buffer.data(), buffer.size());
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    if (calls_ != nullptr) {
        for (std::string& line : lines_.take(
                 {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(got)})) {
            calls_->log({LogLevel::info, std::move(line), {}, true});
        }
    }
    return true;
}

void WorkerSession::Link::violate(std::string what) {
    if (!violation_) violation_ = "the worker broke the protocol: " + std::move(what);
    kill();
    notify();
}

void WorkerSession::Link::kill() {
    failed_ = true;
    kill_wanted_ = true;
    if (pidfd_ && !gone_) pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0);
}

void WorkerSession::Link::on_exit(WorkerExit exit) {
    exit_ = std::move(exit);
    draining_ = true;
    // What it said before it died lies in the socket and the pipe; nobody else can add to it.
    if (socket_.is_open()) read_frames(1 << 20);
    for (int count = 0; count < 64; ++count) {
        const auto before = lines_.seen();
        if (!read_output() || lines_.seen() == before) break;
    }
    if (calls_ != nullptr) {
        for (std::string& line : lines_.rest()) {
            calls_->log({LogLevel::info, std::move(line), {}, true});
        }
    }
    gone_ = true;
    stage_runs_ = false;
    queue_.close();
    stop_call_.emit(asio::cancellation_type::terminal);
    boost::system::error_code ignored;
    socket_.close(ignored);
    output_.close(ignored);
    if (rmdir(work_folder_.c_str()) != 0 && errno == ENOTEMPTY) {
        std::error_code left;
        std::filesystem::remove_all(work_folder_, left);
    }
    notify();
}

void WorkerSession::Link::ask_to_stop(std::uint32_t reason) {
    const CancelMessage message{reason, stage_number_};
    const ssize_t sent =
        ::send(cancel_.get(), &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) kill();
    stop_call_.emit(asio::cancellation_type::terminal);
}

/// False: `until` came, or the calling coroutine was cancelled since it last looked.
template <typename Done>
asio::awaitable<bool> WorkerSession::Link::wait_for(Done done, TimePoint until) {
    const auto at_start = co_await asio::this_coro::cancellation_state;
    const auto before = at_start.cancelled();
    while (!done()) {
        if (Timer::clock_type::now() >= until) co_return false;
        wake_.expires_at(until);
        boost::system::error_code woken;
        co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != before && !done()) co_return false;
    }
    co_return true;
}

asio::awaitable<void> WorkerSession::Link::die() {
    kill();
    stop_call_.emit(asio::cancellation_type::terminal);
    const auto dead = [this] { return gone_ && !call_pending_; };
    // Twice, because being cancelled ends a wait early too.
    for (int round = 0; round < 2; ++round) {
        const bool gone = co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
        if (gone) co_return;
    }
    server_->kill();
    while (!dead()) co_await wait_for(dead, Timer::clock_type::now() + longest_dying);
}

asio::awaitable<Outcome> WorkerSession::Link::run(StageRequest request) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (gone_) co_return gone_outcome(request.stage);
    ++stage_number_;
    stage_runs_ = true;
    stage_status_.reset();
    failure_.reset();
    protected_until_.reset();
    const TimePoint deadline = Timer::clock_type::now() + request.timeout;
    send(FrameType::run_stage, 0,
         encode_stage(request, stage_number_, deadline.time_since_epoch().count()).bytes());

    const auto over = [this] { return stage_status_ || gone_ || violation_ || host_failure_; };
    const auto at_start = co_await asio::this_coro::cancellation_state;
    bool in_time = false;
    if (at_start.cancelled() == asio::cancellation_type::none) {
        in_time = co_await wait_for(over, deadline);
    }
    if (in_time && stage_status_ && !violation_ && !host_failure_)
        co_return stage_outcome(request.stage);
    if (in_time) {
        co_await die();
        co_return gone_outcome(request.stage);
    }

    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    ask_to_stop(cancelled ? CERTCAST_CANCEL_USER : CERTCAST_CANCEL_DEADLINE);
    const TimePoint patience = Timer::clock_type::now() + request.grace;
    bool ended = co_await wait_for(over, patience);
    if (!ended)
        ended = co_await wait_for(over, patience);  // an interrupt does not shorten the grace
    const TimePoint last = patience + longest_protect_;
    while (!ended && protected_until_ &&
           std::min(*protected_until_, last) > Timer::clock_type::now()) {
        const TimePoint until = std::min(*protected_until_, last);
        const auto over_or_open = [&over, this] { return over() || !protected_until_; };
        co_await wait_for(over_or_open, until);
        ended = over();
    }
    if (ended && stage_status_ && !violation_ && !host_failure_) {
        Outcome outcome = stage_outcome(request.stage);
        if (outcome.succeeded()) {
            outcome.late = !cancelled;
            co_return outcome;
        }
        outcome.ended = cancelled ? Ended::cancelled : Ended::timed_out;
        co_return outcome;
    }
    co_await die();
    if (ended) co_return gone_outcome(request.stage);
    if (cancelled) {
        co_return Outcome::of(
            Ended::cancelled, request.stage, Category::cancelled,
            "asked to stop, it did not within " + in_words(request.grace) + " and was killed");
    }
    co_return Outcome::of(Ended::timed_out, request.stage, Category::timeout,
                          "not done after " + in_words(request.timeout) +
                              "; asked to stop, it "
                              "did not within " +
                              in_words(request.grace) + " and was killed");
}

Outcome WorkerSession::Link::stage_outcome(Stage stage) const {
    if (*stage_status_ == CERTCAST_OK) return Outcome::success(stage);
    Outcome outcome = Outcome::of(Ended::failed, stage, Category::internal,
                                  "the plugin failed without saying why");
    if (failure_) outcome.failure = *failure_;
    return outcome;
}

Outcome WorkerSession::Link::gone_outcome(Stage stage) const {
    if (host_failure_) {
        return Outcome::of(Ended::setup_failed, stage, Category::internal, *host_failure_);
    }
    if (violation_) {
        return Outcome::of(Ended::protocol_error, stage, Category::internal, *violation_);
    }
    return outcome_of(exit_, static_cast<bool>(pidfd_), stage);
}

asio::awaitable<Outcome> WorkerSession::Link::finish(Duration timeout) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (gone_) co_return gone_outcome(Stage::close);
    const TimePoint deadline = Timer::clock_type::now() + timeout;
    ++stage_number_;
    stage_runs_ = true;
    wire::Writer out;
    out.u32(stage_number_);
    out.i64(deadline.time_since_epoch().count());
    send(FrameType::finish, 0, out.data());
    const auto dead = [this] { return (gone_ && !call_pending_) || violation_; };
    bool ended = co_await wait_for(dead, deadline);
    if (!ended) ended = co_await wait_for(dead, deadline);  // cancelling does not hurry a close
    if (!ended || violation_) {
        co_await die();
        if (violation_) co_return gone_outcome(Stage::close);
        co_return Outcome::of(
            Ended::timed_out, Stage::close, Category::timeout,
            "closing took longer than " + in_words(timeout) + "; the worker was killed");
    }
    const bool clean = exit_.signal == 0 && exit_.status == 0 && exit_.setup_error.empty();
    if (!result_ || !clean) co_return gone_outcome(Stage::close);
    co_return Outcome::success(Stage::close);
}

void WorkerSession::Link::abandon() {
    calls_ = nullptr;
    if (gone_) return;
    kill();
    stop_call_.emit(asio::cancellation_type::terminal);
}

Result<std::unique_ptr<Session>> WorkerSession::start(asio::any_io_executor executor,
                                                      std::shared_ptr<ForkServer> server,
                                                      std::uint64_t attempt,
                                                      const std::string& work_folder,
                                                      SessionRequest request, HostCalls& calls) {
    auto link = std::make_shared<Link>(std::move(executor), std::move(server), attempt, work_folder,
                                       request.descriptor->longest_protect, calls);
    if (auto started = link->start(request); !started) return started.error();
    return std::unique_ptr<Session>(new WorkerSession(std::move(link)));
}

WorkerSession::~WorkerSession() {
    link_->abandon();
}

asio::awaitable<Outcome> WorkerSession::run(StageRequest request) {
    return link_->run(std::move(request));
}

bool WorkerSession::alive() const {
    return link_->alive();
}

asio::awaitable<Outcome> WorkerSession::finish(Duration timeout) {
    return link_->finish(timeout);
}

}  // namespace certcast
