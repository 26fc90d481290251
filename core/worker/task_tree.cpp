#include "core/worker/task_tree.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

namespace fs = std::filesystem;

constexpr int most_generations = 256;

struct TaskStatus {
    pid_t process = 0;
    pid_t parent = 0;
};

pid_t number_after(std::string_view line, std::string_view label) {
    pid_t number = 0;
    if (!line.starts_with(label)) return 0;
    line.remove_prefix(label.size());
    while (line.starts_with('\t')) line.remove_prefix(1);
    std::from_chars(line.data(), line.data() + line.size(), number);
    return number;
}

TaskStatus status_of(pid_t task) {
    TaskStatus status;
    std::ifstream in("/proc/" + std::to_string(task) + "/status");
    for (std::string line; std::getline(in, line);) {
        if (const pid_t process = number_after(line, "Tgid:")) status.process = process;
        if (const pid_t parent = number_after(line, "PPid:")) status.parent = parent;
    }
    return status;
}

}  // namespace

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

std::size_t count_tasks(pid_t process, std::size_t most) {
    std::vector<pid_t> processes{process};
    std::size_t tasks = 0;
    for (std::size_t i = 0; i < processes.size() && tasks < most; ++i) {
        std::error_code failure;
        const fs::path folder = "/proc/" + std::to_string(processes[i]) + "/task";
        for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end;
             entry.increment(failure)) {
            ++tasks;
            std::ifstream children(entry->path() / "children");
            for (pid_t child = 0; children >> child;) processes.push_back(child);
        }
    }
    return tasks;
}

}  // namespace certcast
