#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

namespace certcast {

/// Removes folders on a thread of its own: how long that takes is up to whoever filled them.
class BackgroundRemoval {
public:
    BackgroundRemoval() = default;
    BackgroundRemoval(const BackgroundRemoval&) = delete;
    BackgroundRemoval& operator=(const BackgroundRemoval&) = delete;
    /// Waits for the one that is being removed; others are left.
    ~BackgroundRemoval();

    /// An empty folder is gone at once.
    void remove(std::filesystem::path folder);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::filesystem::path> folders_;
    bool ends_ = false;
    std::thread thread_;  ///< started with the first folder that is not empty
};

}  // namespace certcast
