#pragma once

#include <filesystem>
#include <vector>

namespace certcast {

/// Where things are on this machine: relative to the program, or by the XDG rules and for root in
/// the system's folders.
struct Places {
    std::filesystem::path worker_program;
    std::vector<std::filesystem::path> plugin_folders;
    std::filesystem::path cache_folder;  ///< empty: nowhere
    std::filesystem::path lock_folder;
    std::filesystem::path state_folder;  ///< of the journal; empty: there is none
    std::filesystem::path work_parent;   ///< where hosts make their work folders

    static Places find();
};

}  // namespace certcast
