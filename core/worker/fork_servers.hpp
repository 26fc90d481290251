#pragma once

#include "core/plugin/descriptor.hpp"
#include "core/worker/fork_server.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// The fork servers of a run. Each serves one library with certain rights and is confined, before
/// it loads it, to the paths of all attempts that it is expected to serve. An attempt that was not
/// foreseen, or whose paths have been exchanged since, gets a server of its own. One that died is
/// started again once; not a third time before one of its workers has come to an end.
class ForkServers {
public:
    /// What all setups have in common is in `common`, whose confinement says how new Landlock may
    /// be.
    ForkServers(boost::asio::any_io_executor executor, ForkServerSetup common);

    /// An attempt with these grants, that may use so much memory (0: no limit), will come.
    void expect(const Library& library, const Grants& grants, std::uint64_t memory);
    /// `work_root` holds the folders in which workers make their work folders.
    Result<std::shared_ptr<ForkServer>> serving(const Library& library, const Grants& grants,
                                                std::uint64_t memory,
                                                const std::filesystem::path& work_root);
    void kill_all();
    void drop_all() { groups_.clear(); }

private:
    struct Group {
        std::set<PathGrant> paths;
        std::uint64_t memory = 0;  ///< the most that one of its attempts may use; 0: no limit
        std::shared_ptr<ForkServer> server;  ///< nullptr: none was needed yet
        int deaths = 0;                      ///< one after the other, before a worker had ended
        std::string why_died;
    };
    using Key = std::pair<std::filesystem::path, Rights>;

    Group* find(const Key& key, const std::set<PathGrant>& paths, std::uint64_t memory);
    Result<std::shared_ptr<ForkServer>> start(const Library& library, const Rights& rights,
                                              const Group& group,
                                              const std::filesystem::path& work_root);

    boost::asio::any_io_executor executor_;
    ForkServerSetup common_;
    std::map<Key, std::vector<Group>> groups_;
    std::uint32_t started_ = 0;
    std::uint32_t first_user_;
};

}  // namespace certcast
