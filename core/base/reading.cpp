#include "core/base/reading.hpp"

#include <array>
#include <cstdint>

namespace certcast {

namespace {

/// What is shorter decodes to less than any value that is looked for.
constexpr std::size_t least_digits = 6;

using Use = std::function<void(const Reading&)>;

/// A digit that stands for some bits, and where it stands, padding behind it included.
struct Digit {
    std::uint8_t value;
    TextRange place;
};

constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Of the standard's alphabet and of the one for URLs.
constexpr int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

using DigitValues = std::array<std::int8_t, 256>;

constexpr DigitValues values_of(int (*value_of)(char)) {
    DigitValues values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<std::int8_t>(value_of(static_cast<char>(i)));
    }
    return values;
}

constexpr DigitValues hex_values = values_of(hex_value);
constexpr DigitValues base64_values = values_of(base64_value);

bool is_line_end(std::string_view text, std::size_t at) {
    return text[at] == '\n' || text[at] == '\r';
}

bool is_written_line_end(std::string_view text, std::size_t at) {
    return text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == 'n' || text[at + 1] == 'r');
}

/// Where the digits go on after a line end, its indentation included, or `at`.
std::size_t behind_line_end(std::string_view text, std::size_t at) {
    std::size_t next = at;
    while (next < text.size()) {
        const bool blank = next != at && (text[next] == ' ' || text[next] == '\t');
        if (is_line_end(text, next) || blank) {
            ++next;
        } else if (is_written_line_end(text, next)) {
            next += 2;
        } else {
            break;
        }
    }
    return next;
}

void read_digits(const std::vector<Digit>& digits, unsigned bits_of_digit, Reading& reading,
                 const Use& use) {
    if (digits.size() < least_digits) return;
    for (unsigned begin = 0; begin < 8; begin += bits_of_digit == 4 ? 4 : 2) {
        reading.clear();
        std::uint32_t bits = 0;
        unsigned count = 0;  // of bits that are still to be used
        std::size_t first = digits.front().place.from;
        unsigned skipped = begin;
        for (const Digit& digit : digits) {
            if (count == 0) first = digit.place.from;
            bits = (bits << bits_of_digit) | digit.value;
            count += bits_of_digit;
            if (skipped > 0) {
                const unsigned less = skipped < count ? skipped : count;
                skipped -= less;
                count -= less;
                first = digit.place.from;
            }
            if (count < 8) continue;
            count -= 8;
            reading.add(static_cast<char>((bits >> count) & 0xff), {first, digit.place.to});
            first = digit.place.from;
        }
        use(reading);
    }
}

/// Whether a digit follows that stands apart from the one before, as in aa:bb or aa bb.
bool is_hex_separator(std::string_view text, std::size_t at) {
    return (text[at] == ':' || text[at] == ' ') && at + 1 < text.size() &&
           hex_values[static_cast<unsigned char>(text[at + 1])] >= 0;
}

void read_words(std::string_view text, const DigitValues& values, Reading& reading,
                const Use& use) {
    const bool is_hex = &values == &hex_values;
    const unsigned bits = is_hex ? 4 : 6;
    std::vector<Digit> digits;
    for (std::size_t at = 0; at < text.size();) {
        const std::int8_t value = values[static_cast<unsigned char>(text[at])];
        if (value >= 0) {
            digits.push_back({static_cast<std::uint8_t>(value), {at, at + 1}});
            ++at;
            continue;
        }
        if (digits.empty()) {
            ++at;
            continue;
        }
        const std::size_t next =
            is_hex && is_hex_separator(text, at) ? at + 1 : behind_line_end(text, at);
        if (next != at) {
            at = next;
            continue;
        }
        while (!is_hex && at < text.size() && text[at] == '=') digits.back().place.to = ++at;
        read_digits(digits, bits, reading, use);
        digits.clear();
    }
    read_digits(digits, bits, reading, use);
}

/// The byte of two hex digits at `at`, or -1.
int hex_byte(std::string_view text, std::size_t at) {
    if (at + 2 > text.size()) return -1;
    const int high = hex_value(text[at]);
    const int low = hex_value(text[at + 1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void read_percent(std::string_view text, bool plus_is_space, Reading& reading) {
    for (std::size_t at = 0; at < text.size();) {
        const int byte = text[at] == '%' ? hex_byte(text, at + 1) : -1;
        if (byte >= 0) {
            reading.add(static_cast<char>(byte), {at, at + 3});
            at += 3;
            continue;
        }
        const bool space = plus_is_space && text[at] == '+';
        reading.add(space ? ' ' : text[at], {at, at + 1});
        ++at;
    }
}

void add_utf8(Reading& reading, std::uint32_t code, TextRange place) {
    const auto add = [&](std::uint32_t byte) { reading.add(static_cast<char>(byte), place); };
    if (code < 0x80) {
        add(code);
    } else if (code < 0x800) {
        add(0xC0 | (code >> 6));
        add(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        add(0xE0 | (code >> 12));
        add(0x80 | ((code >> 6) & 0x3F));
        add(0x80 | (code & 0x3F));
    } else {
        add(0xF0 | (code >> 18));
        add(0x80 | ((code >> 12) & 0x3F));
        add(0x80 | ((code >> 6) & 0x3F));
        add(0x80 | (code & 0x3F));
    }
}

/// The number of \uXXXX at `at`, or -1.
int escaped_unit(std::string_view text, std::size_t at) {
    if (text.substr(at, 2) != "\\u") return -1;
    const int high = hex_byte(text, at + 2);
    const int low = hex_byte(text, at + 4);
    return high < 0 || low < 0 ? -1 : high * 256 + low;
}

/// Reads one escape; returns what it takes, or 0 where it is none.
std::size_t read_escape(std::string_view text, std::size_t at, Reading& reading) {
    if (const int unit = escaped_unit(text, at); unit >= 0) {
        const int next = unit >= 0xD800 && unit < 0xDC00 ? escaped_unit(text, at + 6) : -1;
        const bool pair = next >= 0xDC00 && next < 0xE000;
        const int code = pair ? 0x10000 + ((unit - 0xD800) << 10) + (next - 0xDC00) : unit;
        const std::size_t size = pair ? 12 : 6;
        add_utf8(reading, static_cast<std::uint32_t>(code), {at, at + size});
        return size;
    }
    if (text[at] != '\\' || at + 1 == text.size()) return 0;
    if (text[at + 1] == 'x') {
        const int byte = hex_byte(text, at + 2);
        if (byte < 0) return 0;
        reading.add(static_cast<char>(byte), {at, at + 4});
        return 4;
    }
    constexpr std::string_view letters = "bfnrt";
    constexpr std::string_view meant = "\b\f\n\r\t";
    const std::size_t letter = letters.find(text[at + 1]);
    reading.add(letter == std::string_view::npos ? text[at + 1] : meant[letter], {at, at + 2});
    return 2;
}

void read_escapes(std::string_view text, Reading& reading) {
    for (std::size_t at = 0; at < text.size();) {
        if (const std::size_t size = read_escape(text, at, reading); size > 0) {
            at += size;
        } else {
            reading.add(text[at], {at, at + 1});
            ++at;
        }
    }
}

}  // namespace

void for_each_reading(std::string_view text, const Use& use) {
    Reading reading;
    const auto whole = [&](auto read) {
        reading.clear();
        read();
        use(reading);
    };
    const bool plus = text.find('+') != std::string_view::npos;
    if (plus) whole([&] { read_percent(text, true, reading); });
    if (text.find('%') != std::string_view::npos) {
        whole([&] { read_percent(text, false, reading); });
    }
    if (text.find('\\') != std::string_view::npos) whole([&] { read_escapes(text, reading); });
    read_words(text, hex_values, reading, use);
    read_words(text, base64_values, reading, use);
}

}  // namespace certcast
