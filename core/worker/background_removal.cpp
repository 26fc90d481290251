#include "core/worker/background_removal.hpp"

#include "core/base/remove_tree.hpp"

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace certcast {

BackgroundRemoval::~BackgroundRemoval() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void BackgroundRemoval::remove(std::filesystem::path folder) {
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return;
    {
        const std::lock_guard lock(mutex_);
        folders_.push_back(std::move(folder));
    }
    changed_.notify_one();
    if (thread_.joinable()) return;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        // No thread can be had now; what is left goes with the next, or at the end of the run.
    }
}

void BackgroundRemoval::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || !folders_.empty(); });
        if (ends_) return;
        const std::filesystem::path folder = std::move(folders_.back());
        folders_.pop_back();
        lock.unlock();
        remove_tree(folder);
        lock.lock();
    }
}

}  // namespace certcast
