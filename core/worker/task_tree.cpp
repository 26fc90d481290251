#include "core/worker/task_tree.hpp"

#include "core/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

namespace fs = std::filesystem;

// Deeper than any script calls; each costs time in which nobody else is heard.
constexpr int most_generations = 64;

struct TaskStatus {
    pid_t process = 0;
    pid_t parent = 0;
    int threads = 0;
};

/// Of a line that begins like this: its name, in the first one, cannot hold a line's end.
pid_t number_after(std::string_view label, std::string_view text) {
    const std::size_t at = text.find(label);
    pid_t number = 0;
    if (at == std::string_view::npos) return 0;
    text.remove_prefix(at + label.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// Every call that waits for an answer is looked at like this, so no stream.
TaskStatus status_of(pid_t task) {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/status", task);
    const Fd file(open(path, O_RDONLY | O_CLOEXEC));
    char buffer[64 * 1024];  // a user may be in thousands of groups, which stand before the rest
    const ssize_t size = file ? read(file.get(), buffer, sizeof buffer) : -1;
    if (size <= 0) return {};
    const std::string_view text(buffer, static_cast<std::size_t>(size));
    return {number_after("\nTgid:\t", text), number_after("\nPPid:\t", text),
            number_after("\nThreads:\t", text)};
}

}  // namespace

pid_t parent_of(pid_t process) {
    const TaskStatus status = status_of(process);
    return status.process == process ? status.parent : 0;
}

pid_t nearest_ancestor(pid_t task, const std::function<bool(pid_t)>& wanted) {
    TaskStatus status = status_of(task);
    pid_t process = status.process;
    for (int generation = 0; process > 1 && generation < most_generations; ++generation) {
        if (wanted(process)) return process;
        if (generation > 0) status = status_of(process);
        process = status.parent;
    }
    return 0;
}

bool is_within(pid_t task, pid_t process) {
    return nearest_ancestor(task, [process](pid_t pid) { return pid == process; }) != 0;
}

std::size_t count_threads(pid_t process) {
    return static_cast<std::size_t>(status_of(process).threads);
}

namespace {

/// Calls `use` with each task of a process and of all that descends from it, until it returns
/// false.
void for_each_task(pid_t process, const std::function<bool(pid_t)>& use) {
    std::vector<pid_t> processes{process};
    for (std::size_t i = 0; i < processes.size(); ++i) {
        std::error_code failure;
        const fs::path folder = "/proc/" + std::to_string(processes[i]) + "/task";
        for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
             entry.increment(failure)) {
            if (!use(std::atoi(entry->path().filename().c_str()))) return;
            std::ifstream children(entry->path() / "children");
            for (pid_t child = 0; children >> child;) processes.push_back(child);
        }
    }
}

}  // namespace

std::size_t count_tasks(pid_t process, std::size_t most) {
    std::size_t tasks = 0;
    for_each_task(process, [&](pid_t) { return ++tasks < most; });
    return tasks;
}

}  // namespace certcast
