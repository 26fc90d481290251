#pragma once

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/scheduler/event.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace certcast {

class LockTable;

/// What nobody else may be at while something is deployed to these places. `key`: what it is
/// remembered by, where there is none.
std::vector<std::string> locks_of_places(const std::vector<std::string>& places,
                                         const std::string& key);

/// By another process, now. Writes nothing.
bool is_one_held(const std::filesystem::path& folder, const std::vector<std::string>& names);

/// Locks of one deployment. Dropping them lets the next one in.
class HeldLocks {
public:
    HeldLocks() = default;
    HeldLocks(const HeldLocks&) = delete;
    HeldLocks& operator=(const HeldLocks&) = delete;
    ~HeldLocks() { release(); }
    void release();
    /// Lets go of these.
    void drop(const std::vector<std::string>& names);

private:
    friend class LockTable;
    LockTable* table_ = nullptr;
    std::vector<std::string> names_;
    std::vector<Fd> files_;
};

/// Keeps deployments apart that must not overlap: those of this run by a table, those of other
/// processes by flocks on files in a folder, which are never removed. The kernel lets go of a
/// flock when its process dies, so no lock is ever stale.
class LockTable {
public:
    enum class Taken { all, held_in_this_run, held_elsewhere };

    /// An empty folder: this run only.
    LockTable(boost::asio::any_io_executor executor, std::filesystem::path folder)
        : executor_(std::move(executor)), folder_(std::move(folder)) {}

    /// All of them or none, without waiting. REQUIRES: `names` is sorted and has no duplicates.
    Result<Taken> try_take(const std::vector<std::string>& names, HeldLocks& held);

    /// Until none of them is held in this run; lower ranks go first. Somebody else may still take
    /// one before the caller does. False: the calling coroutine was cancelled.
    boost::asio::awaitable<bool> until_free_in_this_run(const std::vector<std::string>& names,
                                                        std::size_t rank);

    /// Wakes one waiter for each name that is free. For whoever was woken and has to wait for
    /// something else first.
    void pass_on(const std::vector<std::string>& names);

private:
    friend class HeldLocks;
    struct Name {
        bool taken = false;
        std::map<std::size_t, Event*> waiting;
    };

    Result<Taken> take_files(const std::vector<std::string>& names, std::vector<Fd>& files);
    Name* first_taken(const std::vector<std::string>& names);

    boost::asio::any_io_executor executor_;
    std::filesystem::path folder_;
    bool folder_made_ = false;
    std::unordered_map<std::string, Name> names_;
};

}  // namespace certcast
