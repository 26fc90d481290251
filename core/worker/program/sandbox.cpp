#include "core/worker/program/sandbox.hpp"

#include "core/worker/landlock_version.hpp"
#include "core/worker/program/attempt_process.hpp"
#include "core/worker/program/privileges.hpp"
#include "core/worker/program/read_only_mounts.hpp"
#include "core/worker/worker_wire.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace certcast::program {

namespace fs = std::filesystem;

namespace {

// What the loader and the C library read, and what every program may know of its machine.
constexpr const char* read_by_all[] = {"/lib",
                                       "/lib32",
                                       "/lib64",
                                       "/usr/lib",
                                       "/usr/lib32",
                                       "/usr/lib64",
                                       "/usr/local/lib",
                                       "/usr/share",
                                       "/etc/ld.so.cache",
                                       "/etc/ld.so.preload",
                                       "/etc/localtime",
                                       "/etc/timezone",
                                       "/etc/passwd",
                                       "/etc/group",
                                       "/etc/nsswitch.conf",
                                       "/etc/locale.alias",
                                       "/etc/ssl/certs",
                                       "/etc/ssl/openssl.cnf",
                                       "/etc/pki/tls/certs",
                                       "/etc/pki/ca-trust/extracted",
                                       "/usr/local/share/ca-certificates",
                                       "/etc/crypto-policies",
                                       "/dev/random",
                                       "/dev/urandom",
                                       "/sys/devices/system/cpu"};
constexpr const char* used_by_all[] = {"/dev/null", "/dev/zero", "/dev/full"};
// For looking up names.
constexpr const char* read_for_network[] = {
    "/etc/resolv.conf", "/run/systemd/resolve", "/etc/hosts",    "/etc/host.conf", "/etc/gai.conf",
    "/etc/services",    "/etc/protocols",       "/etc/hostname", "/run/resolvconf"};
constexpr const char* run_with_exec[] = {
    "/bin",     "/sbin",        "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin",
    "/usr/lib", "/usr/libexec", "/lib",     "/lib64",    "/usr/lib64",     "/opt"};

Reach reach_of(Access access) {
    switch (access) {
        case Access::read:
            return Reach::read;
        case Access::write:
            return Reach::write;
        case Access::device:
            return Reach::device;
    }
    return Reach::read;
}

Result<Landlock> rules_for(std::uint32_t version, const Rights& rights, const CommonPlaces& common,
                           const std::set<PathGrant>& paths, const std::string& work_folder) {
    auto rules = Landlock::make(version, {.network = rights.network,
                                          .unix_sockets = rights.unix_sockets,
                                          .signals = rights.signals});
    if (!rules) return rules;
    common.allow_in(*rules);
    for (const PathGrant& grant : paths) {
        const Place place(grant.path);
        if (!place.is(grant.device, grant.inode)) continue;
        const bool runs = grant.access == Access::read && rights.exec;
        rules->allow(place, runs ? Reach::run : reach_of(grant.access));
    }
    if (!work_folder.empty()) rules->allow(Place(work_folder), Reach::own);
    return rules;
}

/// Where it leads; the root where that cannot be told.
fs::path real_path(const fs::path& path) {
    std::error_code failure;
    fs::path real = fs::weakly_canonical(path, failure);
    return failure ? fs::path("/") : real;
}

/// The folder below the root that holds a real path, or the root.
fs::path top_of(const fs::path& path) {
    const fs::path inner = path.relative_path();
    return inner.empty() ? fs::path("/") : "/" / *inner.begin();
}

std::vector<std::string> paths_with(Access access, const std::set<PathGrant>& paths) {
    std::vector<std::string> found;
    for (const PathGrant& grant : paths) {
        if (grant.access == access) found.push_back(grant.path);
    }
    return found;
}

/// Root's own protection against root: what Landlock does not see of files, and capabilities.
void confine_root(const Confinement& confinement, Confined& confined) {
    auto writable = paths_with(Access::write, confinement.grants.paths);
    if (!confinement.work_folder.empty()) writable.push_back(confinement.work_folder);
    if (auto mounted = mount_read_only_but(writable); !mounted) {
        confined.words.gaps.push_back(
            "mode, owner and times can be changed of files that a plugin which writes others as "
            "root may only read: " +
            mounted.error().text());
    }
    if (auto kept = keep_file_capabilities(confinement.grants.rights.signals); !kept) {
        confined.words.gaps.push_back(
            "a plugin that writes files keeps all of root's capabilities: " + kept.error().text());
    }
}

}  // namespace

CommonPlaces::Paths CommonPlaces::paths_for(const Rights& rights) {
    Paths paths;
    for (const char* path : read_by_all) paths.emplace_back(path, Reach::read);
    for (const char* path : used_by_all) paths.emplace_back(path, Reach::device);
#ifdef __SANITIZE_ADDRESS__
    paths.emplace_back("/proc", Reach::read);  // a report names what is mapped where
#endif
    if (rights.network) {
        for (const char* path : read_for_network) paths.emplace_back(path, Reach::read);
    }
    if (rights.exec) {
        for (const char* path : run_with_exec) paths.emplace_back(path, Reach::run);
    }
    return paths;
}

CommonPlaces::CommonPlaces(const Paths& paths) {
    for (const auto& [path, reach] : paths) {
        Place place(path);
        if (!place.missing() && !holds(place, reach)) places_.emplace_back(std::move(place), reach);
    }
}

// /lib leads to /usr/lib, mostly.
bool CommonPlaces::holds(const Place& place, Reach reach) const {
    return std::any_of(places_.begin(), places_.end(), [&](const auto& other) {
        return other.first == place && other.second == reach;
    });
}

void CommonPlaces::allow_in(Landlock& rules) const {
    for (const auto& [place, reach] : places_) rules.allow(place, reach);
}

CommonPlaces::Paths CommonPlaces::widened(const Confinement& confinement) {
    Paths paths = paths_for(confinement.grants.rights);
    std::set<fs::path> taken{top_of(real_path(confinement.work_folder))};
    for (const PathGrant& grant : confinement.grants.paths) {
        const fs::path real = real_path(grant.path);
        // A library for instance, which lies where everything may read.
        const bool is_common = grant.access == Access::read &&
                               std::any_of(paths.begin(), paths.end(), [&](const auto& common) {
                                   return is_beneath(real, common.first);
                               });
        if (!is_common) taken.insert(top_of(real));
    }
    if (taken.contains("/")) return paths;
    for (auto& [path, reach] : paths) {
        const fs::path top = top_of(real_path(path));
        if (!taken.contains(top)) path = top.string();
    }
    return paths;
}

Confinement receive_confinement(Connection& host) {
    const Frame frame = host.receive();
    wire::Reader in(frame.payload);
    Confinement confinement;
    const bool usable = frame.type == FrameType::confine && Confinement::read(in, confinement);
    if (!usable) _exit(exit_protocol);
    return confinement;
}

void send_confined(Connection& host, Confined confined) {
    wire::Writer out;
    confined.words.process = getpid();
    confined.words.encode(out);
    std::vector<Fd> fds;
    if (confined.listener) fds.push_back(std::move(confined.listener));
    host.send(FrameType::confined, 0, out.data(), std::move(fds));
}

Result<Confined> confine(const Confinement& confinement, Denied denied) {
    Confined confined;
    const Rights& rights = confinement.grants.rights;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit_memory(confinement.memory);
    if (rights.sandbox == Sandbox::off) return confined;
    const auto& paths = confinement.grants.paths;

    confined.landlock = std::min(landlock_version(), confinement.newest_landlock);
    std::optional<Landlock> rules;
    if (confined.landlock > 0) {
        auto made =
            rules_for(confined.landlock, rights, CommonPlaces(CommonPlaces::paths_for(rights)),
                      paths, confinement.work_folder);
        if (!made) return made.error();
        rules.emplace(std::move(*made));
    } else {
        confined.words.gaps.emplace_back(
            "files are protected by their owners and modes alone: this kernel "
            "has no Landlock, or was started without it (lsm=landlock)");
    }
    if (geteuid() == 0 && confinement.user == 0) confine_root(confinement, confined);
    if (confinement.user != 0) {
        auto readable = paths_with(Access::read, paths);
        if (!confinement.work_folder.empty()) readable.push_back(confinement.work_folder);
        const auto become = become_user(confinement.user, readable, rules.has_value());
        if (!become) {
            confined.words.gaps.push_back("plugins that write no files run as root all the same: " +
                                          become.error().text());
            confine_root(confinement, confined);
        }
    }
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // another user's process is dumpable again
    if (rules) {
        if (auto enforced = rules->enforce(); !enforced) return enforced.error();
    }
    auto listener = filter_system_calls(rights, confined.landlock, denied);
    if (!listener) {
        confined.words.gaps.push_back(
            "sockets, programs, signals and the kernel's interfaces are open: " +
            listener.error().text());
    } else {
        confined.listener = std::move(*listener);
    }
    if (rights.sandbox == Sandbox::required && !confined.words.gaps.empty()) {
        return Error{ErrorCode::denied,
                     "sandbox = \"required\", but this machine cannot enforce all of it: " +
                         confined.words.gaps.front(),
                     {}};
    }
    return confined;
}

Result<void> narrow(std::uint32_t landlock, const Rights& rights, const CommonPlaces& common,
                    const std::set<PathGrant>& paths, const std::string& work_folder) {
    if (landlock == 0) return {};
    auto rules = rules_for(landlock, rights, common, paths, work_folder);
    if (!rules) return rules.error();
    return rules->enforce();
}

}  // namespace certcast::program
