#include "core/worker/process_tree.hpp"

#include "core/base/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

std::string read_all(int fd) {
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

Fd open_children_file(pid_t parent) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    return Fd(open(path, O_RDONLY | O_CLOEXEC));
}

/// Opened once and kept, since a sandbox may bar the way to it later.
int children_file() {
    static Fd file;
    static pid_t owner = -1;
    if (owner == getpid()) return file.get();
    file = open_children_file(getpid());
    owner = getpid();
    return file.get();
}

// Kernels with CONFIG_PROC_CHILDREN tell at once; false where this one has no such file.
bool read_children_file(int file, std::vector<pid_t>& children) {
    if (file < 0 || lseek(file, 0, SEEK_SET) != 0) return false;
    const std::string text = read_all(file);
    const char* position = text.data();
    const char* const end = text.data() + text.size();
    while (position < end) {
        pid_t pid = 0;
        const auto [next, failure] = std::from_chars(position, end, pid);
        if (failure != std::errc()) break;
        children.push_back(pid);
        position = next + 1;
    }
    return true;
}

pid_t parent_of(std::string_view pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%.*s/stat", static_cast<int>(pid.size()), pid.data());
    const Fd file(open(path, O_RDONLY | O_CLOEXEC));
    const std::string stat = read_all(file.get());
    const std::size_t name_end = stat.rfind(')');  // the name may hold anything, ")" included
    if (name_end == std::string::npos || name_end + 4 >= stat.size()) return 0;
    pid_t parent = 0;
    std::from_chars(stat.data() + name_end + 4, stat.data() + stat.size(), parent);
    return parent;
}

void scan_proc(std::vector<pid_t>& children) {
    struct CloseDir {
        void operator()(DIR* dir) const { closedir(dir); }
    };
    const pid_t self = getpid();
    const std::unique_ptr<DIR, CloseDir> proc(opendir("/proc"));
    if (!proc) return;
    while (const dirent* entry = readdir(proc.get())) {
        const std::string_view name = entry->d_name;
        pid_t pid = 0;
        const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (failure != std::errc() || end != name.data() + name.size()) continue;
        if (parent_of(name) == self) children.push_back(pid);
    }
}

}  // namespace

void become_subreaper() {
    children_file();
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

std::set<pid_t> children() {
    std::vector<pid_t> found;
    if (!read_children_file(children_file(), found)) scan_proc(found);
    return {found.begin(), found.end()};
}

bool sweep_children(const std::function<bool(pid_t)>& is_known) {
    bool found = false;
    for (const pid_t child : children()) {
        if (is_known(child)) continue;
        // What became another user's, by sudo for instance, is beyond our reach.
        const bool is_foreign = kill(child, SIGKILL) != 0 && errno == EPERM;
        waitpid(child, nullptr, WNOHANG);
        found = found || !is_foreign;
    }
    return found;
}

bool sweep_all_children(const std::function<bool(pid_t)>& is_known) {
    constexpr int most_rounds = 500;  // the caller does nothing else meanwhile
    for (int round = 0; round < most_rounds; ++round) {
        if (!sweep_children(is_known)) return true;
        poll(nullptr, 0, 1);
    }
    return false;
}

}  // namespace certcast
