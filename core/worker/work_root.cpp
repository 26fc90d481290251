#include "core/worker/work_root.hpp"

#include "core/base/private_folder.hpp"
#include "core/base/remove_tree.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "work-";

}  // namespace

Result<WorkRoot> WorkRoot::make(const fs::path& parent) {
    if (auto made = make_private_folder(parent); !made) return made.error();
    if (::geteuid() == 0) ::chmod(parent.c_str(), 0711);
    for (const LockedFolder& left : abandoned_folders(parent, prefix)) remove_tree(left.path);
    auto folder = make_locked_folder(parent, prefix);
    if (!folder) return folder.error();
    // Workers of other users have their folders in it, and find nothing else.
    if (::geteuid() == 0) ::chmod(folder->path.c_str(), 0711);
    return WorkRoot(std::move(*folder));
}

WorkRoot::~WorkRoot() {
    if (folder_.lock) remove_tree(folder_.path);
}

}  // namespace certcast
