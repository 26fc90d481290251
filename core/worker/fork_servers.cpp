#include "core/worker/fork_servers.hpp"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace certcast {

namespace {

// Each worker's rules are a copy of its server's with its own added, so they stay few.
constexpr std::size_t most_paths = 256;

// systemd sets these aside for users that exist while a service runs: uids-gids, "Dynamic Service
// Users". No account has them.
constexpr std::uint32_t first_dynamic_user = 61184;
constexpr std::uint32_t dynamic_users = 65519 - first_dynamic_user + 1;

std::uint32_t random_number() {
    std::uint32_t number = 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number) return 0;
    return number;
}

bool covers(const std::set<PathGrant>& all, const std::set<PathGrant>& some) {
    return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

/// Of limits, of which 0 is none.
bool suffices(std::uint64_t limit, std::uint64_t wanted) {
    return limit == 0 || (wanted != 0 && wanted <= limit);
}

}  // namespace

ForkServers::ForkServers(boost::asio::any_io_executor executor, ForkServerSetup common)
    : executor_(std::move(executor)), common_(std::move(common)), first_user_(random_number()) {}

void ForkServers::expect(const Library& library, const Grants& grants, std::uint64_t memory) {
    const Key key{library.path, grants.rights};
    if (find(key, grants.paths, memory) != nullptr) return;
    std::vector<Group>& groups = groups_[key];
    const bool has_room = !groups.empty() && groups.back().server == nullptr &&
                          groups.back().paths.size() + grants.paths.size() <= most_paths;
    if (!has_room) groups.push_back({{}, memory, nullptr, 0, {}});
    Group& group = groups.back();
    group.paths.insert(grants.paths.begin(), grants.paths.end());
    group.memory = suffices(memory, group.memory) ? memory : group.memory;
}

ForkServers::Group* ForkServers::find(const Key& key, const std::set<PathGrant>& paths,
                                      std::uint64_t memory) {
    const auto groups = groups_.find(key);
    if (groups == groups_.end()) return nullptr;
    for (Group& group : groups->second) {
        if (covers(group.paths, paths) && suffices(group.memory, memory)) return &group;
    }
    return nullptr;
}

Result<std::shared_ptr<ForkServer>> ForkServers::serving(const Library& library,
                                                         const Grants& grants, std::uint64_t memory,
                                                         const std::filesystem::path& work_root) {
    const Key key{library.path, grants.rights};
    Group* group = find(key, grants.paths, memory);
    if (group == nullptr) {
        groups_[key].push_back({grants.paths, memory, nullptr, 0, {}});
        group = &groups_[key].back();
    }
    if (group->server && group->server->usable()) return group->server;
    constexpr int most_deaths = 2;
    if (group->server) {
        group->deaths = group->server->has_served() ? 1 : group->deaths + 1;
        group->why_died = group->server->why_gone();
        group->server.reset();
    }
    if (group->deaths >= most_deaths) {
        return Error{ErrorCode::internal,
                     "it is not started again, having died twice: " + group->why_died,
                     library.path.string()};
    }
    auto started = start(library, grants.rights, *group, work_root);
    if (started) group->server = *started;
    return started;
}

Result<std::shared_ptr<ForkServer>> ForkServers::start(const Library& library, const Rights& rights,
                                                       const Group& group,
                                                       const std::filesystem::path& work_root) {
    ForkServerSetup setup = common_;
    setup.library = library.path;
    Confinement& own = setup.confinement;
    own.grants = {rights, group.paths};
    own.memory = group.memory;
    const std::uint32_t number = started_++;
    const bool drops_root = geteuid() == 0 && rights.sandbox != Sandbox::off && !rights.keeps_user;
    if (drops_root) own.user = first_dynamic_user + (first_user_ + number) % dynamic_users;
    setup.cold_start = library.cold_start;

    const std::filesystem::path folder = work_root / std::to_string(number);
    if (mkdir(folder.c_str(), 0700) != 0) {
        return system_error("cannot make a folder for work folders", errno, folder);
    }
    bool given = own.user == 0 || chown(folder.c_str(), own.user, own.user) == 0;
    if (given && own.user != 0 && setup.cold_start) {
        // Its workers are root while they make their folders in it: nobody else may exchange one.
        given = chown(folder.c_str(), 0, 0) == 0 && chmod(folder.c_str(), 0711) == 0;
    }
    if (!given) {
        const std::string why = system_error("cannot give its work folder away", errno).text();
        if (rights.sandbox == Sandbox::required) {
            return Error{ErrorCode::denied,
                         "sandbox = \"required\", but it would run as root: " + why,
                         library.path.string()};
        }
        setup.tell_gap("plugins that write no files run as root all the same: " + why);
        own.user = 0;
    }
    own.work_folder = folder.string();
    return ForkServer::start(executor_, std::move(setup));
}

void ForkServers::kill_all() {
    for (const auto& [key, groups] : groups_) {
        for (const Group& group : groups) {
            if (group.server) group.server->kill(true);
        }
    }
}

}  // namespace certcast
