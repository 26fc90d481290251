#pragma once

#include "core/base/folder_lock.hpp"
#include "core/base/limits.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

class ControlGroup;

/// The control groups (cgroup v2) of a run, one for each attempt, in the part of the tree that this
/// process has been given to divide: systemd's Delegate=yes, or whoever else sets the attribute
/// user.delegate. What they can limit depends on what has been given: memory and processes where
/// nobody else is in the group, ending all processes of an attempt at once always.
class ControlGroups : public std::enable_shared_from_this<ControlGroups> {
public:
    /// nullptr: nothing has been given. Ends what killed runs have left in their groups.
    static std::shared_ptr<ControlGroups> find();
    ControlGroups(const ControlGroups&) = delete;
    ControlGroups& operator=(const ControlGroups&) = delete;
    ~ControlGroups();

    /// A group without processes that is kept to these limits.
    Result<std::unique_ptr<ControlGroup>> take(const Limits& limits);
    /// What is done by them, of "memory", "processes" and "sweep".
    std::vector<std::string> powers() const;

private:
    friend ControlGroup;

    ControlGroups(std::filesystem::path given, LockedFolder own);
    void enable_controllers();
    void give_back(std::filesystem::path group);

    std::filesystem::path given_;  ///< the group that this process was started in
    LockedFolder own_;             ///< below it, for this run
    std::vector<std::filesystem::path> free_;
    bool moved_ = false;  ///< this process is in a group of its own below `own_`
    bool memory_ = false;
    bool processes_ = false;
    std::uint64_t made_ = 0;
};

/// All processes of one attempt. Those that are left when it is dropped are killed.
class ControlGroup {
public:
    ControlGroup(const ControlGroup&) = delete;
    ControlGroup& operator=(const ControlGroup&) = delete;
    ~ControlGroup();

    /// Puts a process into it, with all that it will start. False: it cannot be, or is gone.
    bool add(pid_t process) const;
    void kill() const;
    /// The kernel has killed them, because together they wanted more memory than they may have.
    bool ran_out_of_memory() const;

private:
    friend ControlGroups;

    ControlGroup(std::shared_ptr<ControlGroups> all, std::filesystem::path path);

    std::shared_ptr<ControlGroups> all_;
    std::filesystem::path path_;
    std::uint64_t killed_before_;
};

}  // namespace certcast
