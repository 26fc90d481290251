#include "core/pipeline/text_file.hpp"

#include "core/base/fd.hpp"
#include "core/base/utf8.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace certcast {

namespace {

constexpr std::size_t largest = 4 * 1024 * 1024;

}  // namespace

Result<std::string> read_text_file(const std::filesystem::path& file) {
    const std::string where = file.string();
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return system_error("cannot be read", errno, where);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return system_error("cannot be read", errno, where);
    if (S_ISDIR(info.st_mode)) {
        return Error{ErrorCode::invalid, "is a folder, expected a file", where};
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::invalid, "is no regular file, expected one", where};
    }

    std::string text;
    char buffer[16 * 1024];
    for (;;) {
        const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_error("cannot be read", errno, where);
        if (got == 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
        if (text.size() > largest) {
            return Error{ErrorCode::invalid, "is larger than 4 MiB, expected a smaller file",
                         where};
        }
    }
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
    if (is_utf8(text)) return text;
    std::size_t line = 1;
    for (std::string_view rest = text; !rest.empty(); ++line) {
        const std::size_t end = rest.find('\n');
        if (!is_utf8(rest.substr(0, end))) break;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return Error{ErrorCode::invalid, "line " + std::to_string(line) + " is not UTF-8 text", where};
}

}  // namespace certcast
