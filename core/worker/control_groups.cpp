#include "core/worker/control_groups.hpp"

#include <fcntl.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "certcast-";

bool put(const fs::path& file, std::string_view value) {
    const Fd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    return fd && write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

/// Words of a file of one line, or the keys and values of one with a pair in each.
std::vector<std::string> words_of(const fs::path& file) {
    std::vector<std::string> words;
    std::ifstream in(file);
    for (std::string word; in >> word;) words.push_back(word);
    return words;
}

bool has(const std::vector<std::string>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::uint64_t value_of(const fs::path& file, std::string_view key) {
    std::ifstream in(file);
    std::string name;
    std::uint64_t value = 0;
    while (in >> name >> value) {
        if (name == key) return value;
    }
    return 0;
}

std::optional<fs::path> mount_of_groups() {
    struct Close {
        void operator()(FILE* file) const { endmntent(file); }
    };
    const std::unique_ptr<FILE, Close> mounts(setmntent("/proc/self/mounts", "re"));
    while (const mntent* mount = mounts ? getmntent(mounts.get()) : nullptr) {
        if (std::string_view(mount->mnt_type) == "cgroup2") return mount->mnt_dir;
    }
    return std::nullopt;
}

/// The group of this process, where it can be seen: a container may show another part of the tree.
std::optional<fs::path> own_group() {
    const auto mount = mount_of_groups();
    std::ifstream in("/proc/self/cgroup");
    for (std::string line; mount && std::getline(in, line);) {
        constexpr std::string_view version_2 = "0::/";
        if (!line.starts_with(version_2)) continue;
        fs::path group = *mount / line.substr(version_2.size());
        if (has(words_of(group / "cgroup.procs"), std::to_string(getpid()))) return group;
    }
    return std::nullopt;
}

bool is_given(const fs::path& group) {
    // systemd sets both; without root only the former can be read.
    for (const char* attribute : {"user.delegate", "trusted.delegate"}) {
        char value = 0;
        if (getxattr(group.c_str(), attribute, &value, 1) == 1 && value == '1') {
            return access(group.c_str(), W_OK) == 0 &&
                   access((group / "cgroup.procs").c_str(), W_OK) == 0;
        }
    }
    return false;
}

void remove_groups(const fs::path& group) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(group, ignored)) {
        if (entry.is_directory(ignored)) rmdir(entry.path().c_str());
    }
    rmdir(group.c_str());
}

}  // namespace

std::shared_ptr<ControlGroups> ControlGroups::find() {
    auto given = own_group();
    if (!given || !is_given(*given)) return nullptr;
    for (const LockedFolder& left : abandoned_folders(*given, prefix)) {
        put(left.path / "cgroup.kill", "1");
        remove_groups(left.path);  // those whose processes still die, next time
    }
    auto own = make_locked_folder(*given, prefix);
    if (!own) return nullptr;
    std::shared_ptr<ControlGroups> groups(new ControlGroups(std::move(*given), std::move(*own)));
    groups->enable_controllers();
    return groups;
}

ControlGroups::ControlGroups(fs::path given, LockedFolder own)
    : given_(std::move(given)), own_(std::move(own)) {}

// A group that limits those below it can hold no processes itself, so this one goes below too.
void ControlGroups::enable_controllers() {
    const auto there = words_of(given_ / "cgroup.controllers");
    if (!has(there, "memory") && !has(there, "pids")) return;
    const fs::path host = own_.path / "host";
    moved_ = mkdir(host.c_str(), 0700) == 0 && put(host / "cgroup.procs", "0");
    const auto enable = [&](const std::string& controller) {
        return moved_ && has(there, controller) &&
               put(given_ / "cgroup.subtree_control", "+" + controller) &&
               put(own_.path / "cgroup.subtree_control", "+" + controller);
    };
    memory_ = enable("memory");
    processes_ = enable("pids");
}

ControlGroups::~ControlGroups() {
    for (const fs::path& group : free_) rmdir(group.c_str());
    // Where another run goes on limiting its own, this is refused, the way back is barred, and our
    // group stays until somebody finds that it is nobody's.
    for (const fs::path& group : {own_.path, given_}) {
        for (const char* controller : {"-memory", "-pids"}) {
            put(group / "cgroup.subtree_control", controller);
        }
    }
    if (moved_) put(given_ / "cgroup.procs", "0");
    remove_groups(own_.path);
}

Result<std::unique_ptr<ControlGroup>> ControlGroups::take(const Limits& limits) {
    fs::path path;
    if (free_.empty()) {
        path = own_.path / std::to_string(made_++);
        if (mkdir(path.c_str(), 0700) != 0) {
            return system_error("cannot make a control group", errno, path);
        }
        if (memory_) put(path / "memory.oom.group", "1");
        if (memory_) put(path / "memory.swap.max", "0");  // not there where there is no swap
    } else {
        path = std::move(free_.back());
        free_.pop_back();
    }
    const auto set = [&](const char* file, std::uint64_t limit) {
        return put(path / file, limit == 0 ? "max" : std::to_string(limit));
    };
    const bool limited = (!memory_ || set("memory.max", limits.memory)) &&
                         (!processes_ || set("pids.max", limits.processes));
    std::unique_ptr<ControlGroup> group(new ControlGroup(shared_from_this(), path));
    if (!limited) return Error{ErrorCode::io, "cannot limit a control group", path};
    return group;
}

// What was charged to one that is used again, files in memory for instance, would be the next
// attempt's; so where memory is limited each has a new one.
void ControlGroups::give_back(fs::path group) {
    if (memory_) {
        rmdir(group.c_str());
    } else if (value_of(group / "cgroup.events", "populated") == 0) {
        free_.push_back(std::move(group));
    }
}

std::vector<std::string> ControlGroups::powers() const {
    std::vector<std::string> powers{"sweep"};
    if (memory_) powers.emplace_back("memory");
    if (processes_) powers.emplace_back("processes");
    return powers;
}

ControlGroup::ControlGroup(std::shared_ptr<ControlGroups> all, fs::path path)
    : all_(std::move(all)),
      path_(std::move(path)),
      killed_before_(value_of(path_ / "memory.events", "oom_kill")) {}

ControlGroup::~ControlGroup() {
    kill();
    all_->give_back(path_);
}

bool ControlGroup::add(pid_t process) const {
    return put(path_ / "cgroup.procs", std::to_string(process));
}

void ControlGroup::kill() const {
    put(path_ / "cgroup.kill", "1");
}

bool ControlGroup::ran_out_of_memory() const {
    return value_of(path_ / "memory.events", "oom_kill") > killed_before_;
}

}  // namespace certcast
