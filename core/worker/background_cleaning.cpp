#include "core/worker/background_cleaning.hpp"

#include "core/base/remove_tree.hpp"

#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

namespace certcast {

BackgroundCleaning::~BackgroundCleaning() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void BackgroundCleaning::remove(std::filesystem::path folder) {
    if (::rmdir(folder.c_str()) == 0 || errno == ENOENT) return;
    {
        const std::lock_guard lock(mutex_);
        folders_.push_back(std::move(folder));
    }
    wake();
}

void BackgroundCleaning::close(std::vector<Fd> descriptors) {
    if (descriptors.empty()) return;
    {
        const std::lock_guard lock(mutex_);
        std::move(descriptors.begin(), descriptors.end(), std::back_inserter(descriptors_));
    }
    wake();
}

void BackgroundCleaning::wake() {
    changed_.notify_one();
    if (thread_.joinable()) return;
    try {
        thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
        // No thread can be had now; what is left goes with the next, or at the end of the run.
    }
}

// Descriptors first: what they hold may be the memory that the machine needs.
void BackgroundCleaning::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || !folders_.empty() || !descriptors_.empty(); });
        if (ends_) return;
        std::vector<Fd> descriptors = std::exchange(descriptors_, {});
        std::filesystem::path folder;
        if (descriptors.empty()) {
            folder = std::move(folders_.back());
            folders_.pop_back();
        }
        lock.unlock();
        descriptors.clear();
        if (!folder.empty()) remove_tree(folder);
        lock.lock();
    }
}

}  // namespace certcast
