#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace certcast::program {

/// What a rule allows beneath a path.
enum class Reach {
    read,    ///< files and folders
    run,     ///< read, and execute
    write,   ///< read; write, make, remove and rename files and folders, but make no symlinks
    own,     ///< write; sockets, FIFOs and symlinks too; nothing is moved to another folder
    device,  ///< read, write and ioctl of a device
};

/// What stands at a path, found once and named by any number of rules.
class Place {
public:
    explicit Place(const std::string& path);
    /// Nothing is there, or nothing that could be found.
    bool missing() const { return !fd_; }
    int fd() const { return fd_.get(); }
    bool is_folder() const;
    bool operator==(const Place& other) const {
        return is(other.status_.st_dev, other.status_.st_ino);
    }
    /// What stood here when it was granted: 0 and 0 where nothing did.
    bool is(std::uint64_t device, std::uint64_t inode) const;

private:
    Fd fd_;
    struct stat status_ {};
};

/// A set of rules that is made first and enforced then, on this thread and all that it starts. From
/// then on only what a rule allows can be opened, made or removed, whoever the user is.
class Landlock {
public:
    struct Scope {
        bool network = false;       ///< may use TCP
        bool unix_sockets = false;  ///< may connect to abstract unix sockets of others
        bool signals = false;  ///< may send signals to processes that are not under these rules
    };
    /// No newer version than `version` is used, which is at least 1.
    static Result<Landlock> make(std::uint32_t version, Scope scope);

    /// What is missing is left out: nothing can be made in its place either.
    void allow(const Place& place, Reach reach);
    Result<void> enforce();

private:
    Landlock(std::uint64_t handled, Fd ruleset) : handled_(handled), ruleset_(std::move(ruleset)) {}
    std::uint64_t rights(Reach reach) const;

    std::uint64_t handled_;
    Fd ruleset_;
};

}  // namespace certcast::program
