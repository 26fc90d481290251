#include "core/base/regular_file.hpp"

#include "core/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace certcast {

Result<RegularFile> read_regular_file(const std::filesystem::path& path,
                                      std::size_t most_mebibytes) {
    const std::string where = path.string();
    const std::string too_large =
        "is larger than " + std::to_string(most_mebibytes) + " MiB, expected a smaller file";
    const std::size_t most = most_mebibytes * 1024 * 1024;
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    const Fd fd(::open(where.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        const std::string hint = errno == EACCES ? "; let this user read it" : "";
        return system_error("cannot be read" + hint, errno, where);
    }
    if (S_ISDIR(status.st_mode)) {
        return Error{ErrorCode::invalid, "is a folder, expected a file", where};
    }
    if (!S_ISREG(status.st_mode)) {
        return Error{ErrorCode::invalid, "is no regular file, expected one", where};
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > most) return Error{ErrorCode::invalid, too_large, where};
    // One byte more than it should have: files grow, and those of /proc say that they are empty.
    Secret content = Secret::of_size((size == 0 ? most : size) + 1);
    std::size_t filled = 0;
    while (filled < content.size()) {
        const ssize_t got = ::read(fd.get(), content.data() + filled, content.size() - filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error("cannot be read", errno, where);
        if (got == 0) break;
        filled += static_cast<std::size_t>(got);
    }
    if (filled == content.size()) {
        return size == 0 ? Error{ErrorCode::invalid, too_large, where}
                         : Error{ErrorCode::io, "grew while it was being read: try again", where};
    }
    content.shrink(filled);
    return RegularFile{std::move(content), status.st_mode};
}

}  // namespace certcast
