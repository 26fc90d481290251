#pragma once

#include "core/base/sandbox.hpp"
#include "core/base/wire.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace certcast {

/// What may be done at a path. `write` is of a folder: make, write, remove and rename in it.
enum class Access : std::uint8_t { read = 1, write = 2, device = 3 };

/// One path, and what stood there when the grant was made: a sandbox grants that, and not what
/// takes its place.
struct PathGrant {
    Access access = Access::read;
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;  ///< 0: nothing was there

    bool operator==(const PathGrant&) const = default;
    bool operator<(const PathGrant& other) const {
        return std::tie(access, path, device, inode) <
               std::tie(other.access, other.path, other.device, other.inode);
    }
};

/// What a process may do beside reading what every program reads, and writing its work folder.
struct Rights {
    bool network = false;
    bool unix_sockets = false;
    bool exec = false;
    bool signals = false;
    /// Keeps its user, because it is granted what only that user may write.
    bool keeps_user = false;
    Sandbox sandbox = Sandbox::on;

    bool operator==(const Rights&) const = default;
    bool operator<(const Rights& other) const { return members() < other.members(); }
    std::tuple<bool, bool, bool, bool, bool, Sandbox> members() const {
        return {network, unix_sockets, exec, signals, keeps_user, sandbox};
    }
};

struct Grants {
    Rights rights;
    std::set<PathGrant> paths;

    bool operator==(const Grants&) const = default;
};

/// All that a process is told of its sandbox before it loads foreign code.
struct Confinement {
    Grants grants;
    std::string work_folder;
    std::uint64_t memory = 0;  ///< bytes that it may use; 0: no limit
    std::uint32_t user = 0;    ///< becomes this user and group; 0: stays who it is
    /// Newer versions of Landlock are not used.
    std::uint32_t newest_landlock = UINT32_MAX;

    Secret encoded() const;
    /// Nothing usable: the frame ends early.
    static bool read(wire::Reader& in, Confinement& confinement);
};

/// Whether a grant of the folder reaches the file. Both are real paths.
bool is_beneath(const std::filesystem::path& file, const std::filesystem::path& folder);

/// What a process says that has confined itself.
struct ConfinedWords {
    pid_t process = 0;
    std::vector<std::string> gaps;  ///< what could not be enforced, each a sentence

    void encode(wire::Writer& out) const;
    /// False: the payload is malformed.
    static bool read(wire::Reader& in, ConfinedWords& words);
};

void encode_paths(const std::set<PathGrant>& paths, wire::Writer& out);
std::set<PathGrant> read_paths(wire::Reader& in);

}  // namespace certcast
