#include "core/base/remove_tree.hpp"

#include "core/base/fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace {

constexpr std::size_t most_at_once = 10'000;

std::vector<std::string> names_in(const Fd& folder) {
    struct CloseDir {
        void operator()(DIR* dir) const { closedir(dir); }
    };
    std::vector<std::string> names;
    // Opened anew: a duplicate would go on where the last listing has ended.
    const int again = openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (again < 0) return names;
    const std::unique_ptr<DIR, CloseDir> dir(fdopendir(again));
    while (dir && names.size() < most_at_once) {
        const dirent* entry = readdir(dir.get());
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

/// Opens a folder and nothing else, whatever its mode is, and lets its owner do everything in it.
/// What is mounted on it is not ours to remove.
Fd open_for_removal(int at, const char* name) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = at == AT_FDCWD ? 0 : RESOLVE_NO_XDEV;
    const Fd found(static_cast<int>(syscall(SYS_openat2, at, name, &how, sizeof how)));
    if (!found) return Fd();
    // By descriptor: a name could have become a link meanwhile, and chmod follows links.
    ::chmod(("/proc/self/fd/" + std::to_string(found.get())).c_str(), 0700);
    return Fd(openat(found.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Flattens while it removes: a folder's own folders move up to the top, so that neither depth nor
/// the length of a path matters.
class Removal {
public:
    explicit Removal(Fd top) : top_(std::move(top)) {}

    /// True: the top is empty.
    bool run() {
        for (;;) {
            const auto names = names_in(top_);
            if (names.empty()) return true;
            bool any = false;
            for (const std::string& name : names) any = remove(name) || any;
            if (!any) return false;
        }
    }

private:
    static bool gone(const Fd& folder, const std::string& name) {
        return unlinkat(folder.get(), name.c_str(), 0) == 0 ||
               unlinkat(folder.get(), name.c_str(), AT_REMOVEDIR) == 0;
    }

    bool remove(const std::string& name) {
        if (gone(top_, name)) return true;
        const Fd folder = open_for_removal(top_.get(), name.c_str());
        if (!folder) return false;
        bool any = false;
        for (const std::string& inner : names_in(folder)) {
            any = gone(folder, inner) || move_up(folder, inner) || any;
        }
        return gone(top_, name) || any;
    }

    bool move_up(const Fd& folder, const std::string& name) {
        const std::string to = ".certcast-removes-" + std::to_string(moved_++);
        // Its ".." is written to.
        const Fd inner = open_for_removal(folder.get(), name.c_str());
        return inner && renameat(folder.get(), name.c_str(), top_.get(), to.c_str()) == 0;
    }

    Fd top_;
    std::uint64_t moved_ = 0;
};

}  // namespace

bool remove_tree(const std::filesystem::path& folder) {
    if (rmdir(folder.c_str()) == 0) return true;
    Fd top = open_for_removal(AT_FDCWD, folder.c_str());
    if (!top) return false;
    return Removal(std::move(top)).run() && rmdir(folder.c_str()) == 0;
}

}  // namespace certcast
