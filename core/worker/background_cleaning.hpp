#pragma once

#include "core/base/fd.hpp"

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace certcast {

/// Removes folders and closes descriptors on a thread of its own: how long that takes is up to
/// whoever filled them. The last descriptor of what lies in memory frees all of it.
class BackgroundCleaning {
public:
    BackgroundCleaning() = default;
    BackgroundCleaning(const BackgroundCleaning&) = delete;
    BackgroundCleaning& operator=(const BackgroundCleaning&) = delete;
    /// Waits for what is under way; other folders are left.
    ~BackgroundCleaning();

    /// An empty folder is gone at once.
    void remove(std::filesystem::path folder);
    void close(std::vector<Fd> descriptors);
    /// Closes descriptors here, as long as this lives.
    std::function<void(std::vector<Fd>)> closing() {
        return [this](std::vector<Fd> descriptors) { close(std::move(descriptors)); };
    }

private:
    void wake();
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::filesystem::path> folders_;
    std::vector<Fd> descriptors_;
    bool ends_ = false;
    std::thread thread_;  ///< started with the first thing to do
};

}  // namespace certcast
