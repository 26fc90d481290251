#pragma once

#include "core/base/error.hpp"
#include "core/base/folder_lock.hpp"

#include <filesystem>

namespace certcast {

/// The folder in which the attempts of one host find their work folders, removed with all that is
/// in it when this is dropped. A lock says that its host lives, so that whoever makes the next one
/// can tell what a killed host has left behind, and removes that too.
class WorkRoot {
public:
    static Result<WorkRoot> make(const std::filesystem::path& parent);
    WorkRoot(WorkRoot&&) = default;
    WorkRoot& operator=(WorkRoot&&) = delete;
    WorkRoot(const WorkRoot&) = delete;
    WorkRoot& operator=(const WorkRoot&) = delete;
    ~WorkRoot();

    const std::filesystem::path& path() const { return folder_.path; }

private:
    explicit WorkRoot(LockedFolder folder) : folder_(std::move(folder)) {}

    LockedFolder folder_;
};

}  // namespace certcast
