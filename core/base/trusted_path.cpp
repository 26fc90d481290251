#include "core/base/trusted_path.hpp"

#include "core/base/shell_word.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <string>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr mode_t by_others = S_IWGRP | S_IWOTH;
constexpr int most_links = 40;  // as many as the kernel follows

Error denied(std::string message, const fs::path& where) {
    return {ErrorCode::denied, std::move(message), where.string()};
}

Error writable(const struct stat& status, const fs::path& path) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(status.st_mode & 07777));
    const std::string who = (status.st_mode & S_IWOTH) != 0 ? "anyone" : "its group";
    return denied("may be written to by " + who + " (mode " + mode + "): chmod g-w,o-w " +
                      shell_word(path.string()),
                  path);
}

Result<void> check(const struct stat& status, const fs::path& path) {
    const bool link = S_ISLNK(status.st_mode);
    if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        const std::string self = ::geteuid() == 0 ? "" : " or " + std::to_string(::geteuid());
        return denied("belongs to user " + std::to_string(status.st_uid) + ", expected root" +
                          self + ": chown " + (link ? "-h " : "") + "root " +
                          shell_word(path.string()),
                      path);
    }
    const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if (!link && !sticky && (status.st_mode & by_others) != 0) return writable(status, path);
    return {};
}

bool shared(const fs::path& folder) {
    struct stat status {};
    return ::stat(folder.c_str(), &status) != 0 || (status.st_mode & by_others) != 0;
}

/// Goes along a path, a link's target in place of the link.
class Way {
public:
    explicit Way(const fs::path& path) { put_ahead(fs::absolute(path)); }

    Result<fs::path> walk() {
        if (auto good = enter(reached_); !good) return good.error();
        while (!ahead_.empty()) {
            const fs::path part = std::move(ahead_.front());
            ahead_.pop_front();
            if (part.empty() || part == ".") continue;
            if (part == "/") {
                reached_ = "/";
            } else if (part == "..") {
                reached_ = reached_.parent_path();
            } else if (auto good = enter(reached_ / part); !good) {
                return good.error();
            }
        }
        return reached_;
    }

private:
    Result<void> enter(const fs::path& entry) {
        struct stat status {};
        if (::lstat(entry.c_str(), &status) != 0) {
            const int why = errno;
            if (why == ENOENT && shared(reached_)) {
                return denied("is not there, and others could make it, for they may write to " +
                                  reached_.string(),
                              entry);
            }
            return system_error("cannot be looked at", why, entry.string());
        }
        if (auto good = check(status, entry); !good) return good;
        if (!S_ISLNK(status.st_mode)) {
            reached_ = entry;
            return {};
        }
        std::error_code failure;
        const fs::path target = fs::read_symlink(entry, failure);
        if (failure) return system_error("cannot be read", failure.value(), entry.string());
        if (++links_ > most_links) return denied("is one of too many links in a row", entry);
        put_ahead(target);
        return {};
    }

    void put_ahead(const fs::path& path) {
        ahead_.insert(ahead_.begin(), path.begin(), path.end());
    }

    std::deque<fs::path> ahead_;
    fs::path reached_ = "/";
    int links_ = 0;
};

}  // namespace

Result<fs::path> trusted_path(const fs::path& path) {
    return Way(path).walk();
}

Result<fs::path> trusted_folder_to_search(const fs::path& folder) {
    auto real = trusted_path(folder);
    if (!real) return real;
    struct stat status {};
    if (::lstat(real->c_str(), &status) != 0) {
        return system_error("cannot be looked at", errno, real->string());
    }
    if (!S_ISDIR(status.st_mode)) return denied("is no folder", *real);
    if ((status.st_mode & by_others) != 0) return writable(status, *real);
    return real;
}

}  // namespace certcast
