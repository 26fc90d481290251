#include "core/worker/program/landlock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace certcast::program {

namespace {

// Debian 12's headers stop at version 2, so the numbers stand here: include/uapi/linux/landlock.h
// of Linux 6.12.
namespace fs_right {
constexpr std::uint64_t execute = 1u << 0;
constexpr std::uint64_t write_file = 1u << 1;
constexpr std::uint64_t read_file = 1u << 2;
constexpr std::uint64_t read_dir = 1u << 3;
constexpr std::uint64_t remove_dir = 1u << 4;
constexpr std::uint64_t remove_file = 1u << 5;
constexpr std::uint64_t make_dir = 1u << 7;
constexpr std::uint64_t make_reg = 1u << 8;
constexpr std::uint64_t make_sock = 1u << 9;
constexpr std::uint64_t make_fifo = 1u << 10;
constexpr std::uint64_t make_sym = 1u << 12;
constexpr std::uint64_t refer = 1u << 13;
constexpr std::uint64_t truncate = 1u << 14;
constexpr std::uint64_t ioctl_dev = 1u << 15;
constexpr std::uint64_t of_files = execute | write_file | read_file | truncate | ioctl_dev;
}  // namespace fs_right

constexpr std::uint64_t all_net_rights = 3;  // bind and connect of TCP
constexpr std::uint64_t scope_abstract_unix_socket = 1u << 0;
constexpr std::uint64_t scope_signal = 1u << 1;
constexpr int rule_path_beneath = 1;

struct RulesetAttributes {
    std::uint64_t handled_access_fs;
    std::uint64_t handled_access_net;
    std::uint64_t scoped;
};

struct __attribute__((packed)) PathBeneath {
    std::uint64_t allowed_access;
    std::int32_t parent_fd;
};

std::uint64_t fs_rights_of(std::uint32_t version) {
    int bits = 13;
    if (version >= 2) bits = 14;  // refer
    if (version >= 3) bits = 15;  // truncate
    if (version >= 5) bits = 16;  // ioctl of devices
    return (std::uint64_t{1} << bits) - 1;
}

std::size_t size_of(std::uint32_t version) {
    if (version >= 6) return sizeof(RulesetAttributes);
    return version >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

}  // namespace

Place::Place(const std::string& path) : fd_(open(path.c_str(), O_PATH | O_CLOEXEC)) {
    if (fd_ && fstat(fd_.get(), &status_) != 0) fd_.reset();
}

bool Place::is_folder() const {
    return S_ISDIR(status_.st_mode);
}

bool Place::is(std::uint64_t device, std::uint64_t inode) const {
    return status_.st_dev == device && status_.st_ino == inode;
}

Result<Landlock> Landlock::make(std::uint32_t version, Scope scope) {
    RulesetAttributes attributes{};
    attributes.handled_access_fs = fs_rights_of(version);
    if (!scope.network) attributes.handled_access_net = all_net_rights;
    if (!scope.unix_sockets) attributes.scoped |= scope_abstract_unix_socket;
    if (!scope.signals) attributes.scoped |= scope_signal;
    Fd ruleset(
        static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size_of(version), 0)));
    if (!ruleset) return system_error("cannot make Landlock rules", errno);
    return Landlock(attributes.handled_access_fs, std::move(ruleset));
}

std::uint64_t Landlock::rights(Reach reach) const {
    using namespace fs_right;
    constexpr std::uint64_t reading = read_file | read_dir;
    constexpr std::uint64_t writing =
        reading | write_file | truncate | remove_dir | remove_file | make_dir | make_reg | refer;
    switch (reach) {
        case Reach::read:
            return reading;
        case Reach::run:
            return reading | execute;
        case Reach::write:
            return writing;
        case Reach::own:
            // A symlink could be moved along in a folder to where none can be made.
            return (writing & ~refer) | make_sock | make_fifo | make_sym;
        case Reach::device:
            return reading | write_file | ioctl_dev;
    }
    return 0;
}

void Landlock::allow(const Place& place, Reach reach) {
    if (place.missing()) return;
    PathBeneath rule{rights(reach) & handled_, place.fd()};
    if (!place.is_folder()) rule.allowed_access &= fs_right::of_files;
    if (rule.allowed_access == 0) return;
    syscall(SYS_landlock_add_rule, ruleset_.get(), rule_path_beneath, &rule, 0);
}

Result<void> Landlock::enforce() {
    if (syscall(SYS_landlock_restrict_self, ruleset_.get(), 0) != 0) {
        return system_error("cannot enforce Landlock rules", errno);
    }
    return {};
}

}  // namespace certcast::program
