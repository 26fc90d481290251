#pragma once

#include "core/plugin/descriptor.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// The plugins that there are: shared libraries in some folders, and what they say of themselves,
/// which is remembered by the file's digest. Those that check_loadable refuses are not described.
class Catalog {
public:
    /// Loads a library somewhere safe and returns what decode_library reads.
    using Describe =
        std::function<Result<std::vector<std::byte>>(const std::filesystem::path& library)>;

    /// Folders that come first win. An empty cache folder: nothing is remembered.
    Catalog(std::vector<std::filesystem::path> folders, Describe describe,
            std::filesystem::path cache_folder);

    /// The deployer with this id. Looks into ID.so first, and into everything only if need be.
    Result<std::pair<const Library*, const Descriptor*>> find(const std::string& id);
    std::vector<const Library*> all();
    /// What was found and could not be used. Complete after all().
    const std::vector<Error>& problems() const { return problems_; }

private:
    bool is_trusted(const std::filesystem::path& folder);
    void load(const std::filesystem::path& file);
    Result<std::vector<std::byte>> described(const std::filesystem::path& file);
    std::pair<const Library*, const Descriptor*> lookup(const std::string& id) const;

    std::vector<std::filesystem::path> folders_;
    Describe describe_;
    std::filesystem::path cache_folder_;
    std::map<std::filesystem::path, bool> trusted_;
    std::set<std::filesystem::path> loaded_;
    std::vector<std::unique_ptr<Library>> libraries_;
    std::vector<Error> problems_;
};

}  // namespace certcast
