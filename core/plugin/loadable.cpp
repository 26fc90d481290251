#include "core/plugin/loadable.hpp"

#include "core/base/regular_file.hpp"
#include "core/base/trusted_path.hpp"
#include "core/plugin/elf_image.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest_library_mebibytes = 256;
constexpr std::size_t most_libraries = 256;

bool is_of_the_system(const fs::path& real) {
    constexpr std::array<std::string_view, 4> folders{"lib", "lib32", "lib64", "libx32"};
    auto part = std::next(real.begin());  // behind the root
    if (part != real.end() && *part == "usr") ++part;
    return part != real.end() && std::find(folders.begin(), folders.end(), *part) != folders.end();
}

Error wrong(std::string message) {
    return {ErrorCode::invalid, std::move(message), {}};
}

Result<void> check_entry(const ElfImage& image) {
    if (std::find(image.entries.begin(), image.entries.end(), CERTCAST_ENTRY_SYMBOL) !=
        image.entries.end()) {
        return {};
    }
    if (image.entries.empty()) {
        return wrong("exports no function " CERTCAST_ENTRY_SYMBOL ": it is no certcast plugin");
    }
    return wrong("exports no function " CERTCAST_ENTRY_SYMBOL " but " + image.entries.front() +
                 ": it is a plugin for another major version of certcast");
}

/// With $ORIGIN, which is the folder that the library was opened in.
Result<fs::path> expanded(std::string_view written, const fs::path& origin) {
    std::string path;
    for (std::size_t at = 0; at < written.size();) {
        const std::string_view rest = written.substr(at);
        bool found = false;
        for (const std::string_view token : {"$ORIGIN", "${ORIGIN}"}) {
            if (found || !rest.starts_with(token)) continue;
            path += origin.string();
            at += token.size();
            found = true;
        }
        if (found) continue;
        if (written[at] == '$') {
            return wrong("holds a variable of the loader; only $ORIGIN can be told beforehand");
        }
        path += written[at++];
    }
    if (path.starts_with('/')) return fs::path(path);
    return wrong(path.empty()
                     ? "is empty, which means whatever folder certcast is started in"
                     : "is relative to whatever folder certcast is started in; write $ORIGIN/...");
}

/// Follows what one library needs, as the loader would.
class LibrariesBeside {
public:
    explicit LibrariesBeside(const fs::path& plugin) { open(fs::absolute(plugin), {}); }

    Result<std::vector<fs::path>> find() {
        for (std::size_t i = 0; i < ahead_.size(); ++i) {
            const Opened opened = ahead_[i];
            auto looked_at = look_at(opened, i == 0);
            if (!looked_at) return in_context(looked_at.error(), opened.path);
            if (files_.size() > most_libraries) {
                return in_context(wrong("is one of more than " + std::to_string(most_libraries) +
                                        " libraries that come with it"),
                                  opened.path);
            }
        }
        return std::move(files_);
    }

private:
    struct Opened {
        fs::path path;
        std::vector<fs::path> inherited;  ///< folders of those that need it
    };

    static std::string subject(const Error& error, const fs::path& of) {
        return error.where.empty() || error.where == of ? "it " : error.where + " ";
    }

    Error in_context(Error error, const fs::path& of) const {
        const fs::path& plugin = ahead_.front().path;
        if (of != plugin) {
            error.message = "needs " + of.string() + ": " + subject(error, of) + error.message;
        } else if (!error.where.empty() && error.where != of) {
            error.message = error.where + " " + error.message;
        }
        if (error.code == ErrorCode::denied) error.message = "is not loaded: " + error.message;
        error.where = plugin.string();
        return error;
    }

    Result<void> look_at(const Opened& opened, bool is_plugin) {
        const auto real = trusted_path(opened.path);
        if (!real) return real.error();
        if (std::find(files_.begin(), files_.end(), *real) != files_.end()) return {};
        const auto file = read_regular_file(*real, largest_library_mebibytes);
        if (!file) return file.error();
        const auto image = read_elf_image(file->content.bytes());
        if (!image) return image.error();
        if (is_plugin) {
            if (auto entry = check_entry(*image); !entry) return entry;
        }
        files_.push_back(*real);
        return follow(*image, opened);
    }

    Result<void> follow(const ElfImage& image, const Opened& from) {
        const fs::path origin = from.path.parent_path();
        std::vector<fs::path> folders;
        for (const std::string& written : image.search) {
            auto folder = search_folder(written, origin);
            if (!folder) return folder.error();
            if (!folder->empty()) folders.push_back(std::move(*folder));
        }
        std::vector<fs::path> passed_on;
        if (image.search_is_inherited) passed_on = folders;
        passed_on.insert(passed_on.end(), from.inherited.begin(), from.inherited.end());
        if (image.search.empty() || image.search_is_inherited) folders = passed_on;

        for (const std::string& name : image.needed) {
            if (name.find('/') == std::string::npos) {
                look_for(name, folders, passed_on);
                continue;
            }
            auto path = expanded(name, origin);
            if (!path) return wrong("needs \"" + name + "\": that " + path.error().message);
            std::error_code failure;
            const fs::path real = fs::canonical(*path, failure);
            if (failure || !is_of_the_system(real)) open(*path, passed_on);
        }
        return {};
    }

    /// Empty: there is no such folder, nor can others make one.
    static Result<fs::path> search_folder(const std::string& written, const fs::path& origin) {
        const std::string what = "looks for libraries in \"" + written + "\": ";
        auto folder = expanded(written, origin);
        if (!folder) return wrong(what + "that " + folder.error().message);
        if (const auto real = trusted_folder_to_search(*folder); !real) {
            const Error& error = real.error();
            if (error.code == ErrorCode::not_found) return fs::path();
            return Error{error.code, what + subject(error, *folder) + error.message, {}};
        }
        return *folder;
    }

    void look_for(const std::string& name, const std::vector<fs::path>& folders,
                  const std::vector<fs::path>& inherited) {
        for (const fs::path& folder : folders) {
            std::error_code failure;
            const fs::path real = fs::canonical(folder / name, failure);
            if (failure) continue;
            if (!is_of_the_system(real)) open(folder / name, inherited);
            return;
        }
    }

    void open(const fs::path& path, const std::vector<fs::path>& inherited) {
        if (seen_.insert(path).second) ahead_.push_back({path, inherited});
    }

    std::vector<Opened> ahead_;
    std::set<fs::path> seen_;
    std::vector<fs::path> files_;
};

}  // namespace

Result<std::vector<fs::path>> check_loadable(const fs::path& library) {
    return LibrariesBeside(library).find();
}

std::vector<fs::path> libraries_beside(const fs::path& library) {
    auto files = check_loadable(library);
    return files ? std::move(*files) : std::vector<fs::path>();
}

}  // namespace certcast
