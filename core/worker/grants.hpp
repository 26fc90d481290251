#pragma once

#include "core/base/sandbox.hpp"
#include "core/base/wire.hpp"

#include <compare>
#include <cstdint>
#include <set>
#include <string>

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

    auto operator<=>(const PathGrant&) const = default;
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

    auto operator<=>(const Rights&) const = default;
};

struct Grants {
    Rights rights;
    std::set<PathGrant> paths;
};

/// All that a process is told of its sandbox before it loads foreign code.
struct Confinement {
    Grants grants;
    std::string work_folder;
    std::uint32_t user = 0;  ///< becomes this user and group; 0: stays who it is
    /// Newer versions of Landlock are not used.
    std::uint32_t newest_landlock = UINT32_MAX;

    Secret encoded() const;
    /// Nothing usable: the frame ends early.
    static bool read(wire::Reader& in, Confinement& confinement);
};

void encode_paths(const std::set<PathGrant>& paths, wire::Writer& out);
std::set<PathGrant> read_paths(wire::Reader& in);

}  // namespace certcast
