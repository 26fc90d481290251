#include "core/report/text_filter.hpp"

#include "core/base/utf8.hpp"

#include <cstdint>
#include <cstdio>

namespace certcast {

namespace {

constexpr std::string_view ellipsis = "…";
constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

/// One code point as it stands in the text; not valid: one byte that is no UTF-8.
struct Glyph {
    char32_t code = 0;
    std::string_view bytes;
    bool valid = false;
};

Glyph first_glyph(std::string_view text) {
    const std::uint8_t lead = static_cast<std::uint8_t>(text[0]);
    if (lead < 0x80) return {lead, text.substr(0, 1), true};
    const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    const std::string_view bytes = text.substr(0, size);
    if (!is_utf8(bytes)) return {0, text.substr(0, 1), false};
    char32_t code = lead & (0xFFu >> (size + 1));
    for (const char byte : bytes.substr(1))
        code = (code << 6) | (static_cast<unsigned>(byte) & 0x3F);
    return {code, bytes, true};
}

template <typename Use>
void for_each_glyph(std::string_view text, Use use) {
    while (!text.empty()) {
        const Glyph glyph = first_glyph(text);
        use(glyph);
        text.remove_prefix(glyph.bytes.size());
    }
}

bool steers_terminal(char32_t code) {
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) ||  // C0, DEL, C1
           (code >= 0x202A && code <= 0x202E) ||             // order of writing
           (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F ||
           code == 0x2028 || code == 0x2029;
}

/// Escapes that are seen rather than dropped: dropped ones could join two halves of a secret.
void append_visible(std::string& out, const Glyph& glyph) {
    char escape[16];
    if (!glyph.valid) {
        std::snprintf(escape, sizeof escape, "\\x%02x",
                      static_cast<unsigned>(static_cast<std::uint8_t>(glyph.bytes[0])));
        out += escape;
    } else if (glyph.code == '\t') {
        out += "    ";
    } else if (steers_terminal(glyph.code)) {
        const char* const format = glyph.code < 0x100 ? "\\x%02x" : "\\u%04x";
        std::snprintf(escape, sizeof escape, format, static_cast<unsigned>(glyph.code));
        out += escape;
    } else {
        out += glyph.bytes;
    }
}

std::string visible(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for_each_glyph(text, [&](const Glyph& glyph) { append_visible(out, glyph); });
    return out;
}

std::size_t columns_of(char32_t code) {
    struct Range {
        char32_t first;
        char32_t last;
    };
    constexpr Range none[] = {{0x300, 0x36F}, {0x200B, 0x200D}, {0xFE00, 0xFE0F}};
    constexpr Range two[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                             {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                             {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
    for (const Range& range : none) {
        if (code >= range.first && code <= range.last) return 0;
    }
    for (const Range& range : two) {
        if (code >= range.first && code <= range.last) return 2;
    }
    return 1;
}

std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    while (!lines.empty() && lines.back().find_first_not_of(' ') == std::string_view::npos) {
        lines.pop_back();
    }
    return lines;
}

}  // namespace

std::string TextFilter::line(std::string_view text) const {
    std::string joined;
    for (const std::string& line : lines(text)) {
        if (!joined.empty()) joined += ' ';
        joined += line;
    }
    return joined;
}

std::vector<std::string> TextFilter::lines(std::string_view text) const {
    // Masked as a whole first: a secret may span lines.
    const std::string masked = redactor_->redact(text);
    std::vector<std::string> out;
    for (const std::string_view line : split_lines(masked)) out.push_back(visible(line));
    return out;
}

std::string TextFilter::data(std::string_view text) const {
    std::string out;
    for_each_glyph(redactor_->redact(text),
                   [&](const Glyph& glyph) { out += glyph.valid ? glyph.bytes : replacement; });
    return out;
}

std::size_t width(std::string_view text) {
    std::size_t columns = 0;
    for_each_glyph(text, [&](const Glyph& glyph) { columns += columns_of(glyph.code); });
    return columns;
}

std::string clipped(std::string_view text, std::size_t columns) {
    if (width(text) <= columns) return std::string(text);
    if (columns == 0) return {};
    std::size_t used = 0;
    std::size_t size = 0;
    bool full = false;
    for_each_glyph(text, [&](const Glyph& glyph) {
        const std::size_t more = columns_of(glyph.code);
        full = full || used + more > columns - 1;
        if (full) return;
        used += more;
        size += glyph.bytes.size();
    });
    return std::string(text.substr(0, size)).append(ellipsis);
}

std::string padded(std::string text, std::size_t columns) {
    const std::size_t used = width(text);
    if (used < columns) text.append(columns - used, ' ');
    return text;
}

}  // namespace certcast
