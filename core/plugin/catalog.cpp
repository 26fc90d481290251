#include "core/plugin/catalog.hpp"

#include "core/base/nearest.hpp"
#include "core/base/private_folder.hpp"
#include "core/base/trusted_path.hpp"
#include "core/certificate/certificate_bundle.hpp"
#include "core/plugin/loadable.hpp"

#include <certcast/files.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace certcast {

namespace {

namespace fs = std::filesystem;

Result<std::string> read_whole(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in) return Error{ErrorCode::io, "cannot be read", file.string()};
    return text;
}

}  // namespace

Catalog::Catalog(std::vector<fs::path> folders, Describe describe, fs::path cache_folder)
    : folders_(std::move(folders)),
      describe_(std::move(describe)),
      cache_folder_(std::move(cache_folder)) {}

Result<std::vector<std::byte>> Catalog::described(const fs::path& file) {
    if (auto loadable = check_loadable(file); !loadable) return loadable.error();
    const auto library = read_whole(file);
    if (!library) return library.error();
    // Only what speeds up the next run: a full or read-only disk is no reason to stop.
    if (cache_folder_.empty() || !make_private_folder(cache_folder_)) return describe_(file);
    const fs::path cached = cache_folder_ / (to_hex(sha256_of(*library)) + ".plugin");
    if (const auto bytes = read_whole(cached); bytes && !bytes->empty()) {
        const auto view = std::as_bytes(std::span(*bytes));
        if (decode_library(view, file)) return std::vector<std::byte>(view.begin(), view.end());
    }
    auto fresh = describe_(file);
    if (!fresh) return fresh;
    try {
        const std::string_view text(reinterpret_cast<const char*>(fresh->data()), fresh->size());
        write_file(cached, text, 0600);
    } catch (const std::exception&) {
        return fresh;
    }
    return fresh;
}

// Told once of a folder, not of each library in it.
bool Catalog::is_trusted(const fs::path& folder) {
    const auto [known, is_new] = trusted_.try_emplace(folder, true);
    if (!is_new) return known->second;
    if (auto real = trusted_path(folder); !real) {
        Error problem = real.error();
        const std::string what = problem.where == folder ? "it" : problem.where;
        problem.message = "no plugin in it is loaded: " + what + " " + problem.message;
        problem.where = folder.string();
        problems_.push_back(std::move(problem));
        known->second = false;
    }
    return known->second;
}

void Catalog::load(const fs::path& file) {
    if (!loaded_.insert(file).second) return;
    auto bytes = described(file);
    auto library = bytes ? decode_library(*bytes, file) : Result<Library>(bytes.error());
    if (library) {
        libraries_.push_back(std::make_unique<Library>(std::move(*library)));
    } else {
        problems_.push_back(library.error());
    }
}

std::pair<const Library*, const Descriptor*> Catalog::lookup(const std::string& id) const {
    for (const auto& library : libraries_) {
        for (const Descriptor& deployer : library->deployers) {
            if (deployer.id == id) return {library.get(), &deployer};
        }
    }
    return {nullptr, nullptr};
}

std::vector<const Library*> Catalog::all() {
    for (const fs::path& folder : folders_) {
        std::error_code missing;
        std::vector<fs::path> files;
        for (const auto& entry : fs::directory_iterator(folder, missing)) {
            if (entry.path().extension() == ".so") files.push_back(entry.path());
        }
        if (files.empty() || !is_trusted(folder)) continue;
        std::sort(files.begin(), files.end());
        for (const fs::path& file : files) load(file);
    }
    std::vector<const Library*> libraries;
    for (const auto& library : libraries_) libraries.push_back(library.get());
    return libraries;
}

Result<std::pair<const Library*, const Descriptor*>> Catalog::find(const std::string& id) {
    if (id.find('/') == std::string::npos) {
        for (const fs::path& folder : folders_) {
            std::error_code missing;
            const fs::path file = folder / (id + ".so");
            if (fs::exists(file, missing) && is_trusted(folder)) load(file);
        }
    }
    auto found = lookup(id);
    if (found.first == nullptr) {
        all();
        found = lookup(id);
    }
    if (found.first != nullptr) return found;

    for (const Error& problem : problems_) {
        std::error_code missing;
        const fs::path where = problem.where;
        if (where.stem() != id && !fs::exists(where / (id + ".so"), missing)) continue;
        return Error{
            problem.code, "the plugin \"" + id + "\" cannot be used: " + problem.text(), {}};
    }
    std::vector<std::string> known;
    for (const auto& library : libraries_) {
        for (const Descriptor& deployer : library->deployers) known.push_back(deployer.id);
    }
    const std::string hint = known.empty() ? "; no plugin is installed" : suggestion(id, known);
    return Error{ErrorCode::not_found, "there is no plugin \"" + id + "\"" + hint, {}};
}

}  // namespace certcast
