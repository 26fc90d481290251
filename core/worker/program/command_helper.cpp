#include "core/worker/program/command_helper.hpp"

#include "core/worker/program/connection.hpp"
#include "core/worker/program/orphanage.hpp"
#include "core/worker/program/process_state.hpp"
#include "core/worker/worker_wire.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

namespace certcast::program {

namespace {

constexpr rlim_t usual_files = 1024;

struct Request {
    std::vector<std::string> argv;
    std::vector<std::string> environment;  ///< NAME=VALUE
    std::string folder;
    bool capture_stderr = true;
};

Request read_request(const Frame& frame) {
    wire::Reader in(frame.payload);
    Request request;
    const std::uint32_t words = in.count(4);
    for (std::uint32_t i = 0; i < words; ++i) request.argv.emplace_back(in.text());
    const std::uint32_t variables = in.count(4);
    for (std::uint32_t i = 0; i < variables; ++i) request.environment.emplace_back(in.text());
    request.folder = in.text();
    request.capture_stderr = in.u8() != 0;
    if (!in.finished() || request.argv.empty()) _exit(exit_protocol);
    return request;
}

[[noreturn]] void exec(Request& request, int output, int failure) {
    restore_process_state();
    setsid();
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(request.capture_stderr ? output : null, STDERR_FILENO);
    umask(022);
    // Not what the host raised for itself: some programs close as many descriptors as there may be.
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > usual_files) {
        files.rlim_cur = usual_files;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (std::string& variable : request.environment) putenv(variable.data());
    std::vector<char*> argv;
    for (std::string& word : request.argv) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (request.folder.empty() || chdir(request.folder.c_str()) == 0) execvp(argv[0], argv.data());
    const int why = errno;
    [[maybe_unused]] const ssize_t told = write(failure, &why, sizeof why);
    _exit(exit_setup);
}

/// Passes on what there is, but only so much at a time, so that the host is heard however much is
/// printed. True: there is more.
bool pass_output_on(Connection& host, int output, bool& open) {
    Secret buffer = Secret::of_size(16 * 1024);  // what is printed may be one
    for (int pieces = 0; pieces < 16; ++pieces) {
        const ssize_t got = read(output, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) open = false;
        if (got <= 0) return false;
        host.send(FrameType::command_output, 0,
                  buffer.bytes().first(static_cast<std::size_t>(got)));
    }
    return true;
}

}  // namespace

void run_command(pid_t host_pid) {
    const Watch watch = start_supervising(host_pid);
    Connection host(control_fd, &end_everything);
    Request request = read_request(host.receive());
    int output[2];
    int failure[2];
    if (pipe2(output, O_CLOEXEC) != 0 || pipe2(failure, O_CLOEXEC) != 0) _exit(exit_setup);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    const pid_t child = fork();
    if (child == 0) exec(request, output[1], failure[1]);
    close(output[1]);
    close(failure[1]);
    int why = child < 0 ? errno : 0;
    // The other end closes when exec succeeds.
    if (child > 0 && read(failure[0], &why, sizeof why) != sizeof why) why = 0;

    bool open = true;
    int status = 0;
    bool ended = child < 0;
    while (!ended) {
        pollfd entries[] = {{open ? output[0] : -1, POLLIN, 0},
                            {watch.children.get(), POLLIN, 0},
                            {watch.parent.get(), POLLIN, 0},
                            {host.socket(), POLLIN, 0}};
        poll(entries, 4, -1);
        // Anything from the host now, its end included, means: stop.
        if (entries[2].revents != 0 || entries[3].revents != 0) end_everything(1);
        if (entries[0].revents != 0) pass_output_on(host, output[0], open);
        if (entries[1].revents != 0) ended = waitpid(child, &status, WNOHANG) == child;
    }
    sweep_everything();
    // What it printed lies in the pipe, and nobody is left to print more.
    while (open && pass_output_on(host, output[0], open)) {
    }
    wire::Writer out;
    out.u32(static_cast<std::uint32_t>(why));
    out.u32(static_cast<std::uint32_t>(WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                                           : WEXITSTATUS(status)));
    host.send(FrameType::command_ended, 0, out.data());
    end_everything(0);
}

}  // namespace certcast::program
