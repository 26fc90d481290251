#include "core/scheduler/lock_table.hpp"

#include "core/base/private_folder.hpp"
#include "core/certificate/certificate_bundle.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Names hold whatever an operator wrote, at any length; file names do not.
std::string file_name_of(const std::string& name) {
    return name.substr(0, name.find(':')) + "-" + to_hex(sha256_of(name)) + ".lock";
}

}  // namespace

std::vector<std::string> locks_of_places(const std::vector<std::string>& places,
                                         const std::string& key) {
    if (places.empty()) return {"deployment:" + key};
    std::vector<std::string> names;
    names.reserve(places.size());
    for (const std::string& one : places) names.push_back("identity:" + one);
    return names;
}

bool is_one_held(const std::filesystem::path& folder, const std::vector<std::string>& names) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        const std::filesystem::path path = folder / file_name_of(name);
        const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
        return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
    });
}

void HeldLocks::release() {
    if (table_ == nullptr) return;
    LockTable* table = std::exchange(table_, nullptr);
    files_.clear();
    for (const std::string& name : names_) table->names_[name].taken = false;
    table->pass_on(names_);
    names_.clear();
}

void HeldLocks::drop(const std::vector<std::string>& names) {
    if (table_ == nullptr) return;
    for (const std::string& name : names) {
        const auto found = std::find(names_.begin(), names_.end(), name);
        if (found == names_.end()) continue;
        table_->names_[name].taken = false;
        // There is none where locks are this run's only.
        if (!files_.empty()) files_.erase(files_.begin() + (found - names_.begin()));
        names_.erase(found);
    }
    table_->pass_on(names);
}

LockTable::Name* LockTable::first_taken(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const auto found = names_.find(name);
        if (found != names_.end() && found->second.taken) return &found->second;
    }
    return nullptr;
}

void LockTable::pass_on(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const auto found = names_.find(name);
        if (found == names_.end() || found->second.taken) continue;
        auto& waiting = found->second.waiting;
        if (waiting.empty()) {
            names_.erase(found);
        } else {
            waiting.begin()->second->set();
            waiting.erase(waiting.begin());
        }
    }
}

Result<LockTable::Taken> LockTable::try_take(const std::vector<std::string>& names,
                                             HeldLocks& held) {
    if (first_taken(names) != nullptr) {
        pass_on(names);
        return Taken::held_in_this_run;
    }
    std::vector<Fd> files;
    if (!folder_.empty()) {
        Result<Taken> taken = take_files(names, files);
        if (taken.has_error() || *taken != Taken::all) {
            pass_on(names);
            return taken;
        }
    }
    for (const std::string& name : names) names_[name].taken = true;
    held.table_ = this;
    held.names_ = names;
    held.files_ = std::move(files);
    return Taken::all;
}

Result<LockTable::Taken> LockTable::take_files(const std::vector<std::string>& names,
                                               std::vector<Fd>& files) {
    if (!folder_made_ && !names.empty()) {
        if (auto made = make_private_folder(folder_); !made) return made.error();
        folder_made_ = true;
    }
    for (const std::string& name : names) {
        const std::filesystem::path path = folder_ / file_name_of(name);
        Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) return system_error("cannot open the lock file", errno, path.string());
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return Taken::held_elsewhere;
            return system_error("cannot lock the lock file", errno, path.string());
        }
        files.push_back(std::move(file));
    }
    return Taken::all;
}

asio::awaitable<bool> LockTable::until_free_in_this_run(const std::vector<std::string>& names,
                                                        std::size_t rank) {
    while (Name* taken = first_taken(names)) {
        pass_on(names);
        Event freed(executor_);
        taken->waiting[rank] = &freed;
        const bool woken = co_await freed.wait();
        if (woken) continue;
        // Not freed, so the name still knows this wait and cannot have been forgotten.
        taken->waiting.erase(rank);
        co_return false;
    }
    co_return true;
}

}  // namespace certcast
