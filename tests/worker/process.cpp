#include "tests/worker/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace certcast::testing {

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::ostringstream all;
    all << in.rdbuf();  // nothing where a process ends meanwhile
    return all.str();
}

namespace {

using Clock = std::chrono::steady_clock;

std::set<pid_t>& own_children() {
    static std::set<pid_t> children;
    return children;
}

// glibc 2.36 declares its own without extern "C".
int open_pidfd(pid_t process) {
    return static_cast<int>(syscall(SYS_pidfd_open, process, 0));
}

int must(int answer, const char* what) {
    if (answer < 0) throw std::system_error(errno, std::generic_category(), what);
    return answer;
}

/// True when `fd` is readable before `end`.
bool readable(int fd, Clock::time_point end) {
    for (;;) {
        const auto left = std::chrono::ceil<Milliseconds>(end - Clock::now()).count();
        pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
        const int count = poll(&wanted, 1, static_cast<int>(std::max<long>(left, 0)));
        if (count > 0) return true;
        if (count == 0) return false;
        if (errno != EINTR) must(-1, "poll");
    }
}

std::string text_in(int fd) {
    std::string text;
    char part[65536];
    off_t at = 0;
    for (ssize_t count = 0; (count = pread(fd, part, sizeof part, at)) > 0; at += count)
        text.append(part, static_cast<std::size_t>(count));
    return text;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

struct Status {
    pid_t process = 0;
    pid_t parent = 0;
    char state = 0;
};

Status status_of(pid_t process) {
    const std::string text = content_of("/proc/" + std::to_string(process) + "/stat");
    const std::size_t name_end = text.rfind(") ");  // the name may hold anything, brackets too
    if (name_end == std::string::npos || text.size() < name_end + 4) return {};
    return {process, std::stoi(text.substr(name_end + 4)), text[name_end + 2]};
}

std::vector<Status> all_processes() {
    std::vector<Status> all;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const Status status = status_of(std::stoi(name));
        if (status.process != 0) all.push_back(status);
    }
    return all;
}

}  // namespace

Process::Process(std::vector<std::string> argv, const Environment& environment)
    : argv0_(argv.at(0)), started_(Clock::now()) {
    must(prctl(PR_SET_CHILD_SUBREAPER, 1), "prctl");
    output_ = must(memfd_create("stdout", MFD_CLOEXEC), "memfd_create");
    errors_ = must(memfd_create("stderr", MFD_CLOEXEC), "memfd_create");

    std::vector<std::string> variables;
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output_, 1);
    posix_spawn_file_actions_adddup2(&actions, errors_, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    const int failure = posix_spawnp(&pid_, argv0_.c_str(), &actions, &attributes,
                                     pointers_to(argv).data(), pointers_to(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failure != 0) throw std::system_error(failure, std::generic_category(), argv0_);
    own_children().insert(pid_);
    pidfd_ = must(open_pidfd(pid_), "pidfd_open");
}

Process::~Process() {
    if (!ended_) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        own_children().erase(pid_);
    }
    for (const int fd : {pidfd_, output_, errors_}) close(fd);
}

void Process::signal(int number) const {
    must(kill(pid_, number), "kill");
}

Ending Process::wait(Milliseconds limit) {
    if (!readable(pidfd_, Clock::now() + limit))
        throw std::runtime_error(argv0_ + " still runs after " + std::to_string(limit.count()) +
                                 " ms; it said:\n" + output() + errors());
    Ending ending;
    int status = 0;
    rusage usage{};
    must(wait4(pid_, &status, 0, &usage), "wait4");
    ended_ = true;
    own_children().erase(pid_);
    ending.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ending.max_rss_kb = usage.ru_maxrss;
    ending.took = std::chrono::ceil<Milliseconds>(Clock::now() - started_);
    return ending;
}

std::string Process::output() const {
    return text_in(output_);
}
std::string Process::errors() const {
    return text_in(errors_);
}

namespace {

/// Reaps the dead among the processes that were left to this one and returns the living.
std::vector<pid_t> living_leftovers() {
    std::vector<pid_t> living;
    for (const Status& status : all_processes()) {
        if (status.parent != getpid() || own_children().contains(status.process)) continue;
        if (status.state == 'Z')
            waitpid(status.process, nullptr, WNOHANG);
        else
            living.push_back(status.process);
    }
    return living;
}

}  // namespace

std::string said_by(const std::vector<std::string>& program, const Environment& environment) {
    Process process(program, environment);
    const Ending ending = process.wait();
    if (ending.status != 0) throw std::runtime_error(program.front() + ": " + process.errors());
    return process.output();
}

std::vector<std::string> leftovers() {
    std::vector<std::string> found;
    for (const pid_t process : living_leftovers())
        found.push_back(std::to_string(process) + " " + program_of(process));
    return found;
}

void end_leftovers() {
    for (;;) {
        const std::vector<pid_t> living = living_leftovers();
        if (living.empty()) return;
        for (const pid_t process : living) {
            kill(process, SIGKILL);
            waitpid(process, nullptr, 0);
        }
    }
}

std::vector<pid_t> descendants(pid_t ancestor) {
    const std::vector<Status> all = all_processes();
    std::vector<pid_t> found{ancestor};
    for (std::size_t i = 0; i < found.size(); ++i)
        for (const Status& status : all)
            if (status.parent == found[i]) found.push_back(status.process);
    found.erase(found.begin());
    return found;
}

std::string program_of(pid_t process) {
    std::ifstream in("/proc/" + std::to_string(process) + "/comm");
    std::string name;
    std::getline(in, name);
    return name;
}

pid_t parent_of(pid_t process) {
    return status_of(process).parent;
}

char state_of(pid_t process) {
    return status_of(process).state;
}

void wait_until(std::string_view what, const std::function<bool()>& holds, Milliseconds limit) {
    const auto end = Clock::now() + limit;
    while (!holds()) {
        if (Clock::now() > end)
            throw std::runtime_error("waited in vain until " + std::string(what));
        poll(nullptr, 0, 5);
    }
}

void wait_for_no_leftovers(Milliseconds limit) {
    wait_until(
        "no process is left", [] { return leftovers().empty(); }, limit);
}

Watch::Watch(const std::vector<pid_t>& processes) {
    for (const pid_t process : processes)
        if (const int fd = open_pidfd(process); fd >= 0) pidfds_.push_back(fd);
}

Watch::~Watch() {
    for (const int fd : pidfds_) close(fd);
}

bool Watch::all_end_within(Milliseconds limit) const {
    const auto end = Clock::now() + limit;
    return std::all_of(pidfds_.begin(), pidfds_.end(), [&](int fd) { return readable(fd, end); });
}

Announcements::Announcements(std::filesystem::path path) : path_(std::move(path)) {
    must(mkfifo(path_.c_str(), 0600), "mkfifo");
    fd_ = must(open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC), "open");
}

Announcements::~Announcements() {
    close(fd_);
}

Announcements::Line Announcements::next(Milliseconds limit) const {
    const auto end = Clock::now() + limit;
    std::string text;
    for (char byte = 0; byte != '\n';) {
        if (!readable(fd_, end)) throw std::runtime_error("no plugin announced itself");
        if (read(fd_, &byte, 1) == 1) text += byte;
    }
    return {std::stoi(text), std::stoi(text.substr(text.find(' ')))};
}

}  // namespace certcast::testing
