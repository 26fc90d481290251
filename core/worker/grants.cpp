#include "core/worker/grants.hpp"

#include <algorithm>

namespace certcast {

namespace {

constexpr std::size_t least_path_size = 1 + 4 + 8 + 8;

bool flag(wire::Reader& in) {
    return in.u8() != 0;
}

}  // namespace

void encode_paths(const std::set<PathGrant>& paths, wire::Writer& out) {
    out.u32(static_cast<std::uint32_t>(paths.size()));
    for (const PathGrant& grant : paths) {
        out.u8(static_cast<std::uint8_t>(grant.access));
        out.text(grant.path);
        out.u64(grant.device);
        out.u64(grant.inode);
    }
}

std::set<PathGrant> read_paths(wire::Reader& in) {
    std::set<PathGrant> paths;
    const std::uint32_t count = in.count(least_path_size);
    for (std::uint32_t i = 0; i < count; ++i) {
        PathGrant grant;
        grant.access = static_cast<Access>(in.u8());
        grant.path = in.text();
        grant.device = in.u64();
        grant.inode = in.u64();
        paths.insert(std::move(grant));
    }
    return paths;
}

bool is_beneath(const std::filesystem::path& file, const std::filesystem::path& folder) {
    return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first ==
           folder.end();
}

void ConfinedWords::encode(wire::Writer& out) const {
    out.u32(static_cast<std::uint32_t>(process));
    out.u32(static_cast<std::uint32_t>(gaps.size()));
    for (const std::string& gap : gaps) out.text(gap);
}

bool ConfinedWords::read(wire::Reader& in, ConfinedWords& words) {
    constexpr std::uint32_t most_gaps = 16;
    words.process = static_cast<pid_t>(in.u32());
    const std::uint32_t count = in.count(4, most_gaps);
    words.gaps.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) words.gaps.emplace_back(in.text());
    return in.finished();
}

Secret Confinement::encoded() const {
    wire::Writer out;
    const Rights& rights = grants.rights;
    for (const bool right :
         {rights.network, rights.unix_sockets, rights.exec, rights.signals, rights.keeps_user}) {
        out.u8(right ? 1 : 0);
    }
    out.u8(static_cast<std::uint8_t>(rights.sandbox));
    encode_paths(grants.paths, out);
    out.text(work_folder);
    out.u64(memory);
    out.u32(user);
    out.u32(newest_landlock);
    return out.take();
}

bool Confinement::read(wire::Reader& in, Confinement& confinement) {
    Rights& rights = confinement.grants.rights;
    rights.network = flag(in);
    rights.unix_sockets = flag(in);
    rights.exec = flag(in);
    rights.signals = flag(in);
    rights.keeps_user = flag(in);
    rights.sandbox = static_cast<Sandbox>(in.u8());
    confinement.grants.paths = read_paths(in);
    confinement.work_folder = in.text();
    confinement.memory = in.u64();
    confinement.user = in.u32();
    confinement.newest_landlock = in.u32();
    return in.finished();
}

}  // namespace certcast
