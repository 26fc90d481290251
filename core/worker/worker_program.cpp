#include "core/worker/worker_program.hpp"

#include "core/base/limits.hpp"
#include "core/base/pidfd.hpp"
#include "core/worker/frame.hpp"
#include "core/worker/granting.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/worker_wire.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <set>

namespace certcast {

namespace {

// Nobody, of whom nothing is to be expected but that it owns nothing.
constexpr uid_t describing_user = 65534;

class SpawnSettings {
public:
    SpawnSettings() {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }

    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
};

constexpr const char* passed_on[] = {"HOME", "USER", "LOGNAME", "TZ",
                                     // Where a pod finds its cluster.
                                     "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
#ifdef __SANITIZE_ADDRESS__
                                     "ASAN_OPTIONS", "UBSAN_OPTIONS"
#endif
};

// A plugin sees who it runs for, and where, and nothing else of the operator's environment.
std::vector<std::string> clean_environment() {
    std::vector<std::string> variables{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
        "LC_ALL=C.UTF-8"};
    for (const char* name : passed_on) {
        if (const char* value = std::getenv(name)) {
            variables.push_back(std::string(name) + "=" + value);
        }
    }
    return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

}  // namespace

Result<Process> spawn_worker_program(const std::filesystem::path& program,
                                     std::vector<std::string> arguments, Fd socket,
                                     bool keep_environment) {
    SpawnSettings settings;
    auto& actions = settings.actions;
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, socket.get(), control_fd);
    posix_spawn_file_actions_addclosefrom_np(&actions, control_fd + 1);

    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&settings.attributes, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&settings.attributes, &signals);
    // A session of its own: Ctrl-C at the terminal is the host's to handle.
    posix_spawnattr_setflags(&settings.attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);

    arguments.insert(arguments.begin(), "certcast-worker");
    std::vector<char*> argv = pointers(arguments);
    std::vector<std::string> variables = clean_environment();
    std::vector<char*> clean = pointers(variables);
    Process process;
    const int failure = posix_spawn(&process.pid, program.c_str(), &actions, &settings.attributes,
                                    argv.data(), keep_environment ? environ : clean.data());
    if (failure != 0) {
        return system_error("cannot start the worker program; is certcast fully installed?",
                            failure, program.string());
    }
    process.pidfd = Fd(pidfd_open(process.pid, 0));
    if (!process.pidfd) {
        const int why = errno;
        end_process(process);
        return system_error("cannot watch the worker program", why, program.string());
    }
    return process;
}

void end_process(Process& process, int patience_ms) {
    if (process.pid <= 0) return;
    // By descriptor where there is one: a sweep may have reaped it, and its number be another's.
    if (process.pidfd) {
        pidfd_send_signal(process.pidfd.get(), SIGKILL, nullptr, 0);
        pollfd dead{process.pidfd.get(), POLLIN, 0};
        poll(&dead, 1, patience_ms);
        waitpid(process.pid, nullptr, WNOHANG);
    } else {
        kill(process.pid, SIGKILL);
        while (waitpid(process.pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    process.pid = -1;
}

Result<std::vector<std::byte>> describe_library(const std::filesystem::path& program,
                                                const std::filesystem::path& library, int seconds) {
    Confinement confinement;
    confinement.grants.paths = files_of(library);
    confinement.memory = Limits{}.memory;
    confinement.user = geteuid() == 0 ? describing_user : 0;
    become_subreaper();
    const std::set<pid_t> others = children();
    auto sockets = make_socket_pair();
    if (!sockets) return sockets.error();
    auto process =
        spawn_worker_program(program, {"--describe", std::to_string(getpid()), library.string()},
                             std::move(sockets->theirs), false);
    if (!process) return process.error();
    const auto confine = make_frame(FrameType::confine, 0, confinement.encoded().bytes());
    if (!confine) return confine.error();
    send_frame(sockets->ours.get(), *confine);  // the first, for which there is room

    std::array<std::byte, frame_buffer_size> buffer;
    Result<std::vector<std::byte>> answer = Error{
        ErrorCode::timeout,
        "did not say what it contains within " + std::to_string(seconds) + " s: loading it hangs",
        library.string()};
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        // Its socket does not close with it where something that it started holds the other end.
        pollfd entries[] = {{sockets->ours.get(), POLLIN, 0}, {process->pidfd.get(), POLLIN, 0}};
        if (left.count() <= 0 || poll(entries, 2, static_cast<int>(left.count())) == 0) break;
        auto received = receive_frame(sockets->ours.get(), buffer, {});
        const bool nothing = received && std::holds_alternative<NothingYet>(*received);
        if (nothing && entries[1].revents == 0) continue;
        if (!received || nothing || std::holds_alternative<Closed>(*received)) {
            answer =
                Error{ErrorCode::invalid, "ended the process that loaded it", library.string()};
            break;
        }
        const Frame& frame = std::get<Frame>(*received);
        wire::Reader in(frame.payload);
        if (frame.type == FrameType::described) {
            answer = std::vector<std::byte>(frame.payload.begin(), frame.payload.end());
        } else {
            answer = Error{ErrorCode::invalid, std::string(in.text()), library.string()};
        }
        break;
    }
    // It sweeps what the library has started; what escapes that comes here.
    pollfd ended{process->pidfd.get(), POLLIN, 0};
    if (answer) poll(&ended, 1, 1000);
    end_process(*process);
    drop_frames(sockets->ours.get(), {});
    sweep_all_children([&others](pid_t pid) { return others.contains(pid); });
    return answer;
}

}  // namespace certcast
