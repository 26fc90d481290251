#include "core/pipeline/text_file.hpp"

#include "core/base/regular_file.hpp"
#include "core/base/utf8.hpp"

namespace certcast {

Result<std::string> read_text_file(const std::filesystem::path& file) {
    constexpr std::size_t most_mebibytes = 4;
    const Result<RegularFile> read = read_regular_file(file, most_mebibytes);
    if (read.has_error()) return read.error();
    std::string text(read->content.text());
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
    if (is_utf8(text)) return text;
    std::size_t line = 1;
    for (std::string_view rest = text; !rest.empty(); ++line) {
        const std::size_t end = rest.find('\n');
        if (!is_utf8(rest.substr(0, end))) break;
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return Error{ErrorCode::invalid, "line " + std::to_string(line) + " is not UTF-8 text",
                 file.string()};
}

}  // namespace certcast
