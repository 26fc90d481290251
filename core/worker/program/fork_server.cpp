#include "core/worker/program/fork_server.hpp"

#include "core/base/limits.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/program/attempt_process.hpp"
#include "core/worker/program/connection.hpp"
#include "core/worker/program/library.hpp"
#include "core/worker/program/orphanage.hpp"
#include "core/worker/program/process_state.hpp"
#include "core/worker/program/sandbox.hpp"
#include "core/worker/program/supervisor.hpp"
#include "core/worker/worker_wire.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace certcast::program {

namespace {

constexpr auto longest_sweep = std::chrono::milliseconds(1500);

/// Tells whether what stands at control_fd has been exchanged or closed, by constructors of a
/// library for instance.
class ControlSocket {
public:
    ControlSocket() { fstat(control_fd, &before_); }
    bool is_still_there() const {
        struct stat now {};
        return fstat(control_fd, &now) == 0 && now.st_dev == before_.st_dev &&
               now.st_ino == before_.st_ino;
    }

private:
    struct stat before_ {};
};

class ForkServer {
public:
    ForkServer(const ForkServerOptions& options, pid_t supervisor)
        : options_(options),
          supervisor_(supervisor),
          watch_(start_supervising(supervisor)),
          host_(control_fd, &_exit) {}

    [[noreturn]] void run() {
        enter_sandbox();
        load();
        for (;;) {
            pollfd entries[] = {{host_.socket(), POLLIN, 0},
                                {watch_.children.get(), POLLIN, 0},
                                {watch_.parent.get(), POLLIN, 0}};
            // Orphans do not always announce themselves to us, so a sweep is repeated by time too.
            const int pause = unswept_.empty() ? -1 : 2;
            if (poll(entries, 3, pause) < 0 && errno != EINTR) _exit(1);
            if (entries[2].revents != 0) _exit(0);
            if (entries[0].revents != 0) take_requests();
            if (entries[1].revents != 0) forget_signals(watch_);
            reap();
            report_ended();
        }
    }

private:
    struct Ended {
        std::uint64_t attempt;
        int code;
        int signal;
        rusage used;
    };

    /// What a worker starts with.
    struct Placement {
        std::string work_folder;
        Limits limits;
        std::set<PathGrant> paths;
    };

    // The listener of refused calls goes to the host before foreign code could get hold of it.
    void enter_sandbox() {
        const Confinement confinement = receive_confinement(host_);
        const Rights& rights = confinement.grants.rights;
        rights_ = rights;
        const bool narrows = !options_.cold && rights.sandbox != Sandbox::off;
        if (narrows) common_paths_ = CommonPlaces::widened(confinement);
        // The workers of a cold one confine themselves, each of them.
        auto confined =
            options_.cold ? Result<Confined>(Confined{}) : confine(confinement, Denied::asked);
        if (!confined) {
            host_.send_text(FrameType::load_failed, confined.error().text());
            _exit(1);
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // not before: another user forgets it
        if (getppid() != supervisor_) _exit(exit_host_gone);
        landlock_ = confined->landlock;
        starts_programs_ = rights_.exec || !confined->listener;
        send_confined(host_, std::move(*confined));
    }

    void load() {
        if (options_.cold) return;
        const ControlSocket control;
        const auto plugin = load_plugin(options_.library);
        if (!control.is_still_there()) _exit(exit_protocol);
        block_child_signal();
        if (!plugin) {
            host_.send_text(FrameType::load_failed, plugin.error().text());
            _exit(1);
        }
        if (threads_.more_than_one()) {
            host_.send_text(FrameType::load_failed,
                            options_.library +
                                ": started a thread while it was loaded, although it did not "
                                "when it was described");
            _exit(1);
        }
        plugin_ = *plugin;
        // Not before: a library finds no open folder.
        if (landlock_ > 0) common_.emplace(common_paths_);
    }

    void take_requests() {
        // A few a turn, so that deaths are seen in time.
        for (int taken = 0; taken < 16; ++taken) {
            auto received = receive_frame(host_.socket(), buffer_, {.from_host = true});
            if (!received || std::holds_alternative<Closed>(*received)) _exit(0);
            if (std::holds_alternative<NothingYet>(*received)) return;
            Frame frame = std::move(std::get<Frame>(*received));
            if (frame.type != FrameType::spawn || frame.fds.size() != 3) {
                _exit(exit_protocol);
            }
            wire::Reader in(frame.payload);
            const std::uint64_t attempt = in.u64();
            Placement placement;
            placement.work_folder = in.text();
            placement.limits = Limits::read(in);
            placement.paths = read_paths(in);
            if (!in.finished()) _exit(exit_protocol);
            spawn(attempt, placement,
                  {std::move(frame.fds[0]), std::move(frame.fds[1]), std::move(frame.fds[2])});
        }
    }

    void spawn(std::uint64_t attempt, const Placement& placement, AttemptFds fds) {
        const pid_t pid = fork();
        if (pid == 0) run_worker(placement, std::move(fds));
        wire::Writer out;
        out.u64(attempt);
        if (pid < 0) {
            out.text(system_error("cannot fork", errno).text());
            host_.send(FrameType::spawn_failed, 0, out.data());
            return;
        }
        workers_.emplace(pid, attempt);
        out.u32(static_cast<std::uint32_t>(pid));
        host_.send(FrameType::started, 0, out.data());
    }

    [[noreturn]] void run_worker(const Placement& placement, AttemptFds fds) {
        auto ready = become_worker(std::move(fds), placement.work_folder);
        if (ready && common_) {
            ready = narrow(landlock_, rights_, *common_, placement.paths, placement.work_folder);
        }
        if (!ready) {
            dprintf(STDERR_FILENO, "%s\n", ready.error().text().c_str());
            _exit(exit_setup);
        }
        keep_to_its_own(placement.limits);
        if (plugin_ != nullptr) serve_attempt(*plugin_);
        execl("/proc/self/exe", "certcast-worker", "--attempt", options_.library.c_str(),
              static_cast<char*>(nullptr));
        _exit(exit_setup);
    }

    void reap() {
        for (;;) {
            siginfo_t info{};
            // Looked at before it is reaped: while it is a zombie its pid, which is the number of
            // its process group too, cannot belong to anyone else.
            if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
                return;
            }
            const auto worker = workers_.find(info.si_pid);
            if (worker != workers_.end()) {
                if (starts_programs_) kill(-info.si_pid, SIGKILL);
                const bool exited = info.si_code == CLD_EXITED;
                ended_.push_back(
                    {worker->second, exited ? info.si_status : 0, exited ? 0 : info.si_status, {}});
                wait4(info.si_pid, nullptr, WNOHANG, &ended_.back().used);
                workers_.erase(worker);
            }
            waitpid(info.si_pid, nullptr, WNOHANG);
            undying_.erase(info.si_pid);
        }
    }

    // What was left behind is nobody's any more: so all that ended wait until nothing is left,
    // which hurts only those that have started processes. What hangs in the kernel keeps nobody
    // waiting.
    void report_ended() {
        if (ended_.empty() && unswept_.empty()) return;
        const bool all = swept();
        for (const Ended& ended : ended_) {
            report(ended, all);
            if (!all) unswept_.push_back(ended.attempt);
        }
        ended_.clear();
        if (!all) return;
        for (const std::uint64_t attempt : unswept_) {
            wire::Writer out;
            out.u64(attempt);
            host_.send(FrameType::swept, 0, out.data());
        }
        unswept_.clear();
    }

    bool swept() {
        if (!starts_programs_) return true;
        const auto is_known = [this](pid_t pid) {
            return workers_.contains(pid) || undying_.contains(pid);
        };
        if (!undying_.empty()) {
            const std::set<pid_t> there = children();
            std::erase_if(undying_, [&](pid_t pid) { return !there.contains(pid); });
        }
        const auto now = std::chrono::steady_clock::now();
        if (sweep_children(is_known)) {
            if (!sweeping_since_) sweeping_since_ = now;
            if (now - *sweeping_since_ < longest_sweep) return false;
            for (const pid_t pid : children()) {
                if (!workers_.contains(pid)) undying_.insert(pid);
            }
        }
        sweeping_since_.reset();
        return true;
    }

    void report(const Ended& ended, bool is_swept) {
        wire::Writer out;
        out.u64(ended.attempt);
        out.u8(is_swept ? 1 : 0);
        out.u32(static_cast<std::uint32_t>(ended.code));
        out.u32(static_cast<std::uint32_t>(ended.signal));
        const timeval user = ended.used.ru_utime;
        const timeval system = ended.used.ru_stime;
        out.i64((user.tv_sec + system.tv_sec) * 1000 + (user.tv_usec + system.tv_usec) / 1000);
        out.u64(static_cast<std::uint64_t>(ended.used.ru_maxrss) * 1024);
        host_.send(FrameType::exited, 0, out.data());
    }

    const ForkServerOptions& options_;
    const pid_t supervisor_;
    const ThreadCount threads_;
    Watch watch_;
    Connection host_;
    std::array<std::byte, frame_buffer_size> buffer_;
    Rights rights_;
    bool starts_programs_ = true;
    std::uint32_t landlock_ = 0;  ///< 0: there is nothing to be narrowed
    CommonPlaces::Paths common_paths_;
    std::optional<CommonPlaces> common_;
    const certcast_plugin* plugin_ = nullptr;
    std::unordered_map<pid_t, std::uint64_t> workers_;
    std::vector<Ended> ended_;
    std::vector<std::uint64_t> unswept_;  ///< attempts that were reported and wait for it
    std::optional<std::chrono::steady_clock::time_point> sweeping_since_;
    std::set<pid_t> undying_;  ///< killed, and there all the same
};

}  // namespace

void serve_forks(const ForkServerOptions& options) {
    restore_process_state();
    const pid_t supervisor = leave_supervisor(options.host);
    ForkServer(options, supervisor).run();
}

void describe(const std::string& library, pid_t host) {
    start_supervising(host);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != host) _exit(exit_host_gone);
    Connection connection(control_fd, &end_everything);
    const ThreadCount threads;
    const auto confined = confine(receive_confinement(connection), Denied::refused);
    if (!confined) {
        connection.send_text(FrameType::load_failed, confined.error().text());
        end_everything(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // another user forgets it
    const auto plugin = load_plugin(library);
    if (plugin) {
        connection.send(FrameType::described, 0,
                        encode_plugin(**plugin, threads.more_than_one()).bytes());
    } else {
        connection.send_text(FrameType::load_failed, plugin.error().message);
    }
    end_everything(plugin ? 0 : 1);
}

}  // namespace certcast::program
