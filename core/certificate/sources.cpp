#include "core/certificate/sources.hpp"

#include "core/base/regular_file.hpp"
#include "core/certificate/parse.hpp"
#include "core/certificate/read_settled.hpp"

#include <errno.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>

namespace certcast {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_mebibytes = 1;
constexpr off_t largest_file = off_t{largest_mebibytes} * 1024 * 1024;
constexpr std::size_t most_files = 200;

/// One file as it was found, its path without symbolic links.
struct SourceFile {
    fs::path path;
    dev_t device = 0;
    ino_t inode = 0;
    mode_t mode = 0;
    off_t size = 0;
    std::int64_t modified_seconds = 0;
    std::int64_t modified_nanoseconds = 0;
    bool named_by_link = false;  ///< by a symbolic link in the same folder

    bool operator==(const SourceFile&) const = default;
};
using SourceFiles = std::vector<SourceFile>;

Result<SourceFile> resolve(const fs::path& path) {
    std::error_code failure;
    SourceFile file;
    file.path = fs::canonical(path, failure);
    struct stat status {};
    if (!failure && ::stat(file.path.c_str(), &status) != 0) {
        failure = std::error_code(errno, std::generic_category());
    }
    if (failure) return system_error("cannot be opened", failure.value(), path.string());
    file.device = status.st_dev;
    file.inode = status.st_ino;
    file.mode = status.st_mode;
    file.size = status.st_size;
    file.modified_seconds = status.st_mtim.tv_sec;
    file.modified_nanoseconds = status.st_mtim.tv_nsec;
    return file;
}

Result<Secret> content_of(const SourceFile& file) {
    const std::string where = file.path.string();
    if (!S_ISREG(file.mode)) {
        return Error{ErrorCode::invalid,
                     S_ISDIR(file.mode)
                         ? "is a folder, expected a file: source = takes a folder"
                         : "is no file: expected certificates in PEM, DER or PKCS#12",
                     where};
    }
    auto read = read_regular_file(file.path, largest_mebibytes);
    if (read.has_error()) return read.error();
    return std::move(read->content);
}

Result<Found> read_into(CertificateParts& parts, const SourceFile& file, const Secret& passphrase) {
    const auto content = content_of(file);
    if (content.has_error()) return content.error();
    auto found = parse_into(parts, *content, passphrase, file.path.string());
    if (found.has_value() && found->key && (file.mode & S_IROTH) != 0) {
        parts.warnings.push_back(
            file.path.string() +
            ": everyone on this machine can read the private key; chmod it 0600");
    }
    return found;
}

/// The files of a folder, and what was there and could not even be looked at.
struct Listing {
    SourceFiles files;
    std::optional<Error> hidden;

    bool operator==(const Listing& other) const { return files == other.files; }
};

Result<Listing> list_folder(const fs::path& folder) {
    std::map<fs::path, SourceFile> files;
    Listing listing;
    std::error_code failure;
    for (fs::directory_iterator it(folder, failure); !failure && it != fs::directory_iterator();
         it.increment(failure)) {
        auto file = resolve(it->path());
        // A dangling link or a file removed meanwhile holds nothing.
        const bool is_hidden = file.has_error() && file.error().code == ErrorCode::denied;
        if (is_hidden && !listing.hidden) listing.hidden = file.error();
        if (file.has_error() || !S_ISREG(file->mode) || file->size > largest_file) continue;
        std::error_code ignored;
        file->named_by_link = it->is_symlink(ignored) && file->path.parent_path() == folder;
        const auto [known, inserted] = files.try_emplace(file->path, *file);
        if (!inserted && file->named_by_link) known->second.named_by_link = true;
    }
    if (failure) return system_error("the folder cannot be read", failure.value(), folder.string());
    for (auto& [path, file] : files) listing.files.push_back(std::move(file));
    return listing;
}

/// A file that holds nothing usable is passed over; one that breaks off in the middle is an error.
Result<CertificateParts> read_all(const SourceFiles& files, const Secret& passphrase) {
    CertificateParts parts;
    for (const SourceFile& file : files) {
        const std::size_t before = parts.certificates.size() + parts.keys.size();
        const auto found = read_into(parts, file, passphrase);
        if (found.has_value()) continue;
        if (parts.certificates.size() + parts.keys.size() != before) return found.error();
        if (!parts.missed) parts.missed = found.error();
    }
    return parts;
}

Result<CertificateParts> read_folder(const fs::path& folder, const Listing& listing,
                                     const Secret& passphrase) {
    const SourceFiles& files = listing.files;
    // Links beside the files they name say which of many renewals is the current one.
    SourceFiles current;
    std::copy_if(files.begin(), files.end(), std::back_inserter(current),
                 [](const SourceFile& file) { return file.named_by_link; });
    if (!current.empty() && current.size() <= most_files) {
        Result<CertificateParts> parts = read_all(current, passphrase);
        const bool complete = parts && !parts->certificates.empty() && !parts->keys.empty();
        if (!parts || complete) return parts;
    }
    if (files.size() > most_files) {
        return Error{ErrorCode::invalid,
                     "holds more than " + std::to_string(most_files) +
                         " files: expected the folder of one certificate; name its files instead",
                     folder.string()};
    }
    Result<CertificateParts> parts = read_all(files, passphrase);
    if (parts && !parts->missed) parts->missed = listing.hidden;
    return parts;
}

Result<Found> read_one(CertificateParts& parts, const SourceFile& file, const Secret& passphrase) {
    auto found = read_into(parts, file, passphrase);
    if (found.has_value() && found->nothing()) {
        return Error{ErrorCode::invalid,
                     "holds neither a certificate nor a private key: expected PEM, DER or PKCS#12",
                     file.path.string()};
    }
    return found;
}

}  // namespace

Result<CertificateParts> read_source(const fs::path& source, const Secret& passphrase) {
    const auto resolved = resolve(source);
    if (resolved.has_error()) return resolved.error();
    if (S_ISDIR(resolved->mode)) {
        const fs::path folder = resolved->path;
        Result<CertificateParts> parts = read_settled(
            source.string(), [&] { return list_folder(folder); },
            [&](const Listing& listing) { return read_folder(folder, listing, passphrase); });
        if (parts.has_value()) parts->where = source.string();
        return parts;
    }
    return read_files(source, {}, {}, passphrase);
}

Result<CertificateParts> read_files(const fs::path& certificate, const fs::path& key,
                                    const fs::path& chain, const Secret& passphrase) {
    const auto list = [&]() -> Result<SourceFiles> {
        SourceFiles files;
        for (const fs::path* path : {&certificate, &key, &chain}) {
            if (path->empty()) {
                files.emplace_back();
                continue;
            }
            auto file = resolve(*path);
            if (file.has_error()) return file.error();
            files.push_back(std::move(*file));
        }
        return files;
    };
    const auto read = [&](const SourceFiles& files) -> Result<CertificateParts> {
        CertificateParts parts;
        for (const SourceFile& file : files) {
            if (file.path.empty()) continue;
            // The key that is named is meant, whatever else stands beside the certificate.
            if (&file == &files[1]) parts.keys.clear();
            const auto found = read_one(parts, file, passphrase);
            if (found.has_error()) return found.error();
            if (&file == &files[1] && !found->key) {
                return Error{ErrorCode::invalid, "holds no private key: expected one in PEM or DER",
                             file.path.string()};
            }
            if (&file == &files[2] && !found->certificate) {
                return Error{ErrorCode::invalid,
                             "holds no certificate: expected the intermediates in PEM or DER",
                             file.path.string()};
            }
        }
        return parts;
    };
    Result<CertificateParts> parts = read_settled(certificate.string(), list, read);
    if (parts.has_value()) parts->where = certificate.string();
    return parts;
}

}  // namespace certcast
