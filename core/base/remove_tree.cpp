#include "core/base/remove_tree.hpp"

#include "core/base/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

std::vector<std::string> names_in(const Fd& folder, std::size_t most) {
    struct CloseDir {
        void operator()(DIR* dir) const { closedir(dir); }
    };
    std::vector<std::string> names;
    // Opened anew: a duplicate would go on where the last listing has ended.
    const int again = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again < 0) return names;
    const std::unique_ptr<DIR, CloseDir> dir(fdopendir(again));
    while (dir && names.size() < most) {
        const dirent* entry = readdir(dir.get());
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

/// Flattens while it removes: a folder's own folders move up to the top, so that neither depth nor
/// the length of a path matters.
class Removal {
public:
    Removal(Fd top, std::size_t most) : top_(std::move(top)), left_(most) {}

    /// True: the top is empty.
    bool run() {
        for (;;) {
            const auto names = names_in(top_, left_);
            if (names.empty()) return left_ > 0;
            bool any = false;
            for (const std::string& name : names) any = remove(name) || any;
            if (!any) return false;
        }
    }

private:
    bool gone(const Fd& folder, const std::string& name) {
        if (left_ == 0) return false;
        const bool removed = unlinkat(folder.get(), name.c_str(), 0) == 0 ||
                             unlinkat(folder.get(), name.c_str(), AT_REMOVEDIR) == 0;
        if (removed) --left_;
        return removed;
    }

    bool remove(const std::string& name) {
        if (gone(top_, name)) return true;
        const Fd folder = open(name);
        if (!folder) return false;
        bool any = false;
        for (const std::string& inner : names_in(folder, left_)) {
            any = gone(folder, inner) || move_up(folder, inner) || any;
        }
        return gone(top_, name) || any;
    }

    Fd open(const std::string& name) const {
        constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        struct stat status {};
        const bool is_folder =
            fstatat(top_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode);
        if (!is_folder) return Fd();
        fchmodat(top_.get(), name.c_str(), 0700, 0);
        return Fd(openat(top_.get(), name.c_str(), flags));
    }

    bool move_up(const Fd& folder, const std::string& name) {
        if (left_ == 0) return false;
        const std::string to = ".certcast-removes-" + std::to_string(moved_++);
        const auto rename = [&] {
            return renameat(folder.get(), name.c_str(), top_.get(), to.c_str()) == 0;
        };
        if (rename()) return true;
        fchmodat(folder.get(), name.c_str(), 0700, 0);  // its ".." is written to
        return rename();
    }

    Fd top_;
    std::size_t left_;
    std::uint64_t moved_ = 0;
};

}  // namespace

bool remove_tree(const std::filesystem::path& folder, std::size_t most) {
    if (rmdir(folder.c_str()) == 0) return true;
    Fd top(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top || fchmod(top.get(), 0700) != 0) return false;
    return Removal(std::move(top), most).run() && rmdir(folder.c_str()) == 0;
}

}  // namespace certcast
