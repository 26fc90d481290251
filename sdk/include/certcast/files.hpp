// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/sensitive.hpp>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <dirent.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace certcast {

/// What stood at a path at one moment, a missing file included. Everything a rollback takes.
struct FileImage {
    bool present = false;
    Sensitive contents;
    mode_t mode = 0;
    uid_t owner = 0;
    gid_t group = 0;
    std::string acl;  ///< as the system keeps it; empty: none beside the mode

    std::string_view text() const { return contents.text(); }
    friend bool operator==(const FileImage&, const FileImage&) = default;
};

/// Mode and owner of a file to be written. Without an owner or group it keeps those of the file it
/// replaces, as far as the system permits.
struct FileAccess {
    mode_t mode = 0600;
    std::optional<uid_t> owner;
    std::optional<gid_t> group;
    bool owner_may_fail = false;     ///< an owner or group that the system refuses is no error
    std::optional<std::string> acl;  ///< without one: that of the replaced file
};

namespace detail {

[[noreturn]] inline void throw_errno(int value, const std::filesystem::path& path,
                                     const std::string& what) {
    throw std::system_error(value, std::generic_category(), path.string() + ": " + what);
}

/// Owns one file descriptor.
class OpenFile {
public:
    explicit OpenFile(int fd) : fd_(fd) {}
    OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OpenFile& operator=(OpenFile&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

/// The path itself, or where the symlinks in its last part lead, even if nothing is there.
inline std::filesystem::path followed(std::filesystem::path path) {
    constexpr int most_links = 40;
    std::error_code error;
    for (int links = 0; links < most_links; ++links) {
        if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) return path;
        path = path.parent_path() / std::filesystem::read_symlink(path);
    }
    throw_errno(ELOOP, path, "is a circle of links");
}

inline constexpr const char* acl_name = "system.posix_acl_access";

/// Who may do what beside owner, group and others; empty where nobody may.
inline std::string acl_of(int fd) {
    std::string acl(4096, '\0');
    const ssize_t size = ::fgetxattr(fd, acl_name, acl.data(), acl.size());
    acl.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return acl;
}

/// A name in an opened folder, so that nobody can exchange the folder half-way.
struct Place {
    explicit Place(const std::filesystem::path& wanted)
        : path(followed(wanted)),
          name(path.filename().string()),
          folder(::open(path.has_parent_path() ? path.parent_path().c_str() : ".",
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (folder.get() < 0) throw_errno(errno, path.parent_path(), "cannot open the folder");
        if (name.empty() || name == "." || name == "..") {
            throw_errno(EISDIR, path, "is not the name of a file");
        }
    }
    void sync() const {
        if (::fsync(folder.get()) != 0) throw_errno(errno, path, "cannot sync the folder");
    }

    std::filesystem::path path;
    std::string name;
    OpenFile folder;
};

inline std::string temporary_prefix(const std::string& name) {
    return "." + name + ".certcast-";
}

/// Removes what a killed writer of the same file left behind.
inline void remove_leftovers(const Place& place) {
    const int copy = ::openat(place.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
    if (entries == nullptr) {
        if (copy >= 0) ::close(copy);
        return;
    }
    const std::string prefix = temporary_prefix(place.name);
    while (const dirent* entry = ::readdir(entries)) {
        const std::string_view name = entry->d_name;
        if (name.starts_with(prefix)) ::unlinkat(place.folder.get(), entry->d_name, 0);
    }
    ::closedir(entries);
}

inline void write_all(int fd, std::string_view bytes, const std::filesystem::path& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw_errno(errno, path, "cannot write");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace detail

/// Reads a regular file with its mode and owner. A missing file is an answer: `present` is false.
/// Throws std::system_error for anything else, and for more than `limit` bytes.
inline FileImage read_file(const std::filesystem::path& path,
                           std::size_t limit = 16 * 1024 * 1024) {
    // A path that names a FIFO or a device must not make the open wait.
    const detail::OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) {
        if (errno == ENOENT) return {};
        detail::throw_errno(errno, path, "cannot open");
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) detail::throw_errno(errno, path, "cannot stat");
    if (!S_ISREG(status.st_mode)) {
        detail::throw_errno(S_ISDIR(status.st_mode) ? EISDIR : EINVAL, path,
                            "is not a regular file");
    }
    FileImage image{.present = true,
                    .contents = {},
                    .mode = status.st_mode & 07777,
                    .owner = status.st_uid,
                    .group = status.st_gid,
                    .acl = detail::acl_of(file.get())};
    std::size_t size = 0;
    image.contents.resize(static_cast<std::size_t>(status.st_size) + 1);
    for (;;) {
        if (size > limit) detail::throw_errno(EFBIG, path, "is larger than a certificate can be");
        if (size == image.contents.size()) image.contents.resize(size * 2);
        const ssize_t got =
            ::read(file.get(), image.contents.data() + size, image.contents.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) detail::throw_errno(errno, path, "cannot read");
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    image.contents.resize(size);
    return image;
}

/// A new file, complete and synced under a temporary name beside the one that it will replace.
/// Dropped before switch_over, it leaves nothing behind.
class StagedFile {
public:
    /// A symlink in the last part of `path` is followed once: the file behind it is replaced.
    StagedFile(const std::filesystem::path& path, ByteView contents, const FileAccess& access)
        : place_(path), temporary_(create()) {
        const detail::OpenFile file = std::move(temporary_.file);
        try {
            detail::write_all(file.get(), contents.text(), place_.path);
            take_owner(file.get(), access);
            take_acl(file.get(), access);
            if (::fchmod(file.get(), access.mode) != 0) {
                detail::throw_errno(errno, place_.path, "cannot set the mode");
            }
            if (::fsync(file.get()) != 0) detail::throw_errno(errno, place_.path, "cannot sync");
        } catch (...) {
            drop();
            throw;
        }
    }
    StagedFile(StagedFile&& other) noexcept
        : place_(std::move(other.place_)), temporary_(std::move(other.temporary_)) {
        other.temporary_.name.clear();
    }
    StagedFile& operator=(StagedFile&&) = delete;
    StagedFile(const StagedFile&) = delete;
    StagedFile& operator=(const StagedFile&) = delete;
    ~StagedFile() { drop(); }

    /// From here on the path shows the new file. Durable only after sync_folder.
    void switch_over() {
        const int folder = place_.folder.get();
        if (::renameat(folder, temporary_.name.c_str(), folder, place_.name.c_str()) != 0) {
            detail::throw_errno(errno, place_.path, "cannot switch to the new file");
        }
        temporary_.name.clear();
    }
    void sync_folder() const { place_.sync(); }

private:
    struct Temporary {
        std::string name;
        detail::OpenFile file;
    };

    Temporary create() const {
        for (int tries = 0;; ++tries) {
            std::array<unsigned char, 6> random{};
            if (::getrandom(random.data(), random.size(), 0) !=
                static_cast<ssize_t>(random.size())) {
                detail::throw_errno(errno, place_.path, "no random bytes for a temporary name");
            }
            std::string name = detail::temporary_prefix(place_.name);
            for (const unsigned char byte : random) {
                name += static_cast<char>('a' + byte / 16);
                name += static_cast<char>('a' + byte % 16);
            }
            detail::OpenFile file(::openat(place_.folder.get(), name.c_str(),
                                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                           0600));
            if (file.get() >= 0) return {std::move(name), std::move(file)};
            if (errno != EEXIST || tries == 16) {
                detail::throw_errno(errno, place_.path, "cannot create a new file beside it");
            }
        }
    }

    void take_owner(int fd, const FileAccess& access) const {
        struct stat fresh {};
        if (::fstat(fd, &fresh) != 0) detail::throw_errno(errno, place_.path, "cannot stat");
        struct stat former {};
        const bool replaces =
            ::fstatat(place_.folder.get(), place_.name.c_str(), &former, AT_SYMLINK_NOFOLLOW) == 0;
        const uid_t owner = access.owner.value_or(replaces ? former.st_uid : fresh.st_uid);
        const gid_t group = access.group.value_or(replaces ? former.st_gid : fresh.st_gid);
        if (group != fresh.st_gid && ::fchown(fd, static_cast<uid_t>(-1), group) != 0 &&
            ((access.group && !access.owner_may_fail) || errno != EPERM)) {
            detail::throw_errno(errno, place_.path,
                                "cannot set the group " + std::to_string(group));
        }
        if (owner != fresh.st_uid && ::fchown(fd, owner, static_cast<gid_t>(-1)) != 0 &&
            ((access.owner && !access.owner_may_fail) || errno != EPERM)) {
            detail::throw_errno(errno, place_.path,
                                "cannot set the owner " + std::to_string(owner));
        }
    }

    /// Before the mode, whose group bits bound what a list grants.
    void take_acl(int fd, const FileAccess& access) const {
        std::string acl = access.acl.value_or("");
        if (!access.acl) {
            const detail::OpenFile former(::openat(place_.folder.get(), place_.name.c_str(),
                                                   O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
            if (former.get() >= 0) acl = detail::acl_of(former.get());
        }
        if (!acl.empty() && ::fsetxattr(fd, detail::acl_name, acl.data(), acl.size(), 0) != 0 &&
            !access.owner_may_fail) {
            detail::throw_errno(errno, place_.path, "cannot set the access control list");
        }
    }

    void drop() noexcept {
        if (!temporary_.name.empty()) {
            ::unlinkat(place_.folder.get(), temporary_.name.c_str(), 0);
        }
        temporary_.name.clear();
    }

    detail::Place place_;
    Temporary temporary_;
};

/// Replaces a file in one step: whoever reads it sees the former or the new contents, after a power
/// cut too. It is 0600 until it is complete. Throws std::system_error with the path.
inline void write_file(const std::filesystem::path& path, ByteView contents,
                       const FileAccess& access) {
    StagedFile staged(path, contents, access);
    staged.switch_over();
    staged.sync_folder();
}

inline void write_file(const std::filesystem::path& path, ByteView contents, mode_t mode) {
    write_file(path, contents, FileAccess{.mode = mode});
}

/// Brings back what read_file saw: contents, mode and, as far as the system permits, the owner. A
/// file that was absent is removed. Writes nothing where all is so already.
inline void restore_file(const std::filesystem::path& path, const FileImage& image) {
    if (!image.present) {
        std::error_code error;
        if (!std::filesystem::exists(detail::followed(path).parent_path(), error)) return;
        const detail::Place place(path);
        detail::remove_leftovers(place);
        if (::unlinkat(place.folder.get(), place.name.c_str(), 0) == 0) {
            place.sync();
        } else if (errno != ENOENT) {
            detail::throw_errno(errno, path, "cannot remove");
        }
        return;
    }
    detail::remove_leftovers(detail::Place(path));
    if (read_file(path) == image) return;
    write_file(path, image.contents,
               FileAccess{.mode = image.mode,
                          .owner = image.owner,
                          .group = image.group,
                          .owner_may_fail = true,
                          .acl = image.acl});
}

}  // namespace certcast
