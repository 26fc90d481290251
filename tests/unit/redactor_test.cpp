#include "core/base/redactor.hpp"
#include "core/base/secret.hpp"
#include "tests/unit/each_byte.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

using namespace certcast;
using certcast::testing::each_byte;

namespace {

constexpr const char* standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr const char* for_urls = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64(const std::string& text, const char* alphabet, bool padded) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        unsigned bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits =
                bits << 8 | (at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0);
        }
        const std::size_t digits = std::min<std::size_t>(text.size() - at, 3) + 1;
        for (std::size_t i = 0; i < 4; ++i) {
            if (i < digits) out += alphabet[(bits >> (18 - 6 * i)) & 63];
            if (i >= digits && padded) out += '=';
        }
    }
    return out;
}

std::string wrapped(const std::string& text, std::size_t width, const std::string& line_end) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += width) {
        if (at > 0) out += line_end;
        out += text.substr(at, width);
    }
    return out;
}

/// 48 bytes of a key, as base64 of one PEM line.
std::string key_line(char which) {
    std::string bytes;
    for (int i = 0; i < 48; ++i) bytes += static_cast<char>((i * 37 + which * 11) ^ which);
    return base64(bytes, standard, false);
}

}  // namespace

TEST_CASE("a value is masked wherever it stands") {
    Redactor redactor;
    redactor.add("hunter22\n");
    redactor.add("hunter2");
    redactor.add("abc");
    redactor.add("first line\nshort\nx\n");
    redactor.add("");
    struct Row {
        std::string text;
        std::string shown;
    };
    const std::vector<Row> rows = {
        {"", ""},
        {"nothing here", "nothing here"},
        {"password=hunter22;", "password=***;"},
        {"hunter22hunter22", "******"},
        {"cut off: hunter", "cut off: ***"},
        {"too short to tell: hunte", "too short to tell: hunte"},
        {"hunter2 and xhunter22y", "*** and x***y"},
        {"abc, abcd, xabc (abc)", "***, abcd, xabc (***)"},
        {"the first line alone", "the *** alone"},
        {"first line\nshort\nx", "***"},
        {"a short x", "a short x"},
        {"k: -----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\nend",
         "k: ***\nend"},
        {"-----BEGIN PRIVATE KEY-----\nMHcC", "***"},
        {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
         "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CHECK(redactor.redact(row.text) == row.shown);
    }
}

TEST_CASE("a text full of beginnings is masked in time") {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += "-----BEGIN PRIVATE KEY-----\n";
    CHECK(Redactor().redact(text) == "***");
}

TEST_CASE("secrets that overlap are masked as a whole") {
    Redactor redactor;
    redactor.add("abcdef");
    redactor.add("defghi");
    CHECK(redactor.redact("-abcdefghi-") == "-***-");
}

TEST_CASE("an encoded value is masked, wherever in the encoded text it begins") {
    const std::string secret = "pa\xc3\xa4s+w/rd \"\\?~1";
    Redactor redactor;
    redactor.add(secret);
    struct Encoding {
        const char* name;
        std::function<std::string(const std::string&)> encode;
    };
    const auto percent = [](const char* format, const char* kept) {
        return [=](const std::string& text) {
            std::string out;
            for (const char c : text) {
                out += std::string_view(kept).find(c) != std::string_view::npos
                           ? std::string(1, c)
                           : each_byte(std::string(1, c), format);
            }
            return out;
        };
    };
    const char* const letters = "abcdefghijklmnopqrstuvwxyz1-._~";
    const Encoding all[] = {
        {"as it is", [](const std::string& text) { return text; }},
        {"base64", [](const std::string& text) { return base64(text, standard, true); }},
        {"base64 without padding",
         [](const std::string& text) { return base64(text, standard, false); }},
        {"base64 for URLs", [](const std::string& text) { return base64(text, for_urls, true); }},
        {"base64 in lines",
         [](const std::string& text) { return wrapped(base64(text, standard, true), 7, "\n"); }},
        {"base64 in indented lines",
         [](const std::string& text) {
             return wrapped(base64(text, standard, true), 6, "\r\n  ");
         }},
        {"base64 in lines of a JSON string",
         [](const std::string& text) { return wrapped(base64(text, standard, true), 9, "\\n"); }},
        {"hex", [](const std::string& text) { return each_byte(text, "%02x"); }},
        {"hex in capitals", [](const std::string& text) { return each_byte(text, "%02X"); }},
        {"hex with colons", [](const std::string& text) { return each_byte(text, "%02x:"); }},
        {"hex in lines",
         [](const std::string& text) { return wrapped(each_byte(text, "%02x"), 10, "\n    "); }},
        {"percent", percent("%%%02X", letters)},
        {"percent in small letters", percent("%%%02x", letters)},
        {"percent, all of it", percent("%%%02X", "")},
        {"a form",
         [&](const std::string& text) {
             std::string out = percent("%%%02X", "abcdefghijklmnopqrstuvwxyz1-._~ ")(text);
             return out.replace(out.find(' '), 1, "+");
         }},
        {"JSON",
         [](const std::string& text) {
             std::string out;
             for (const char c : text) {
                 if (c == '"' || c == '\\' || c == '/') out += '\\';
                 out += c;
             }
             return out;
         }},
        {"JSON in ASCII",
         [](const std::string& text) {
             std::string out = text;
             out.replace(out.find('"'), 1, "\\u0022").replace(out.find("\xc3\xa4"), 2, "\\u00E4");
             return out.replace(out.rfind("\\?"), 1, "\\\\");
         }},
        {"escapes of C", [](const std::string& text) { return each_byte(text, "\\x%02x"); }},
    };
    for (const Encoding& encoding : all) {
        for (const std::string before : {"", "u", "us", "user:", "user42:"}) {
            for (const std::string behind : {"", "x", "xy", "@host"}) {
                const std::string text =
                    "<" + encoding.encode(before + secret + behind) + "> refused";
                const std::string shown = redactor.redact(text);
                CAPTURE(encoding.name);
                CAPTURE(text);
                CAPTURE(shown);
                CHECK(shown.starts_with("<"));
                CHECK(shown.ends_with("> refused"));
                CHECK(shown.find("***") != std::string::npos);
                CHECK(shown.size() <= 16 + (before.size() + behind.size() + 2) * 4 + 3);
            }
        }
    }
}

TEST_CASE("characters beyond the first plane are read from their two escapes") {
    Redactor redactor;
    redactor.add("key\xf0\x9f\x94\x91key");
    CHECK(redactor.redact("\"key\\ud83d\\udd11key\"") == "\"***\"");
    CHECK(redactor.redact("\"key\\ud83d-\\udd1\"") == "\"key\\ud83d-\\udd1\"");
}

TEST_CASE("a value that is cut in two is masked on both sides") {
    const std::string secret = "correct-horse-battery";
    Redactor redactor;
    redactor.add(secret);
    for (std::size_t cut = 6; cut <= secret.size() - 6; ++cut) {
        CAPTURE(cut);
        CHECK(redactor.redact("got " + secret.substr(0, cut)) == "got ***");
        CHECK(redactor.redact(secret.substr(cut) + " again") == "*** again");
    }
    const std::string encoded = base64("user:" + secret, standard, true);
    CHECK(redactor.redact("Basic " + encoded.substr(0, 20)) == "Basic dXNlcj***");
    CHECK(redactor.redact(secret.substr(0, 5)) == secret.substr(0, 5));
    CHECK(redactor.redact(secret.substr(16)) == secret.substr(16));
}

TEST_CASE("sixteen bytes of a value are masked, and of harmless pieces only the whole") {
    const std::string secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    Redactor redactor;
    SUBCASE("secret") {
        redactor.add(secret);
        for (std::size_t at = 0; at + 16 <= secret.size(); ++at) {
            CHECK(redactor.redact("<" + secret.substr(at, 16) + ">") == "<***>");
        }
        CHECK(redactor.redact("<" + secret.substr(3, 13) + ">") == "<3456789abcdef>");
        const std::string encoded = base64(secret, standard, true);
        for (std::size_t at = 0; at + 24 <= 36; ++at) {
            const std::string shown = redactor.redact("<" + encoded.substr(at, 24) + ">");
            CAPTURE(shown);
            CHECK(shown.size() <= 7);
        }
    }
    SUBCASE("harmless") {
        redactor.add(secret, Pieces::harmless);
        for (const std::string& piece : {secret.substr(1), secret.substr(0, 30)}) {
            CHECK(redactor.redact("<" + piece + ">") == "<" + piece + ">");
        }
        CHECK(redactor.redact("<" + secret + ">") == "<***>");
    }
}

TEST_CASE("the lines of a key are masked one by one") {
    const std::string first = key_line('a');
    const std::string second = key_line('b');
    Redactor redactor;
    redactor.add(
        "-----BEGIN PRIVATE KEY-----\n" + first + "\n" + second + "\n-----END PRIVATE KEY-----\n",
        Pieces::harmless);
    CHECK(redactor.redact("line: " + second) == "line: ***");
    CHECK(redactor.redact(first + "\n" + second) == "***\n***");
    CHECK(redactor.redact("\"" + first + "\\n" + second + "\"") == "\"***\\n***\"");
}

TEST_CASE("ordinary text stays as it is beside a thousand values") {
    Redactor redactor;
    for (int i = 0; i < 1000; ++i) redactor.add("tok" + std::to_string(i * 7919) + "en");
    const std::string text =
        "2027-01-01T00:00:00Z POST https://api.example.com/v1/certs?id=42%20x+y: 201 Created "
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 \\o/ "
        "TWFuIGlzIGRpc3Rpbmd1aXNoZWQ=";
    CHECK(redactor.redact(text) == text);
    CHECK(redactor.redact("a tok7919en b") == "a *** b");
}

TEST_CASE("a text that repeats itself, or a value that does, is masked in time") {
    Redactor redactor;
    redactor.add(std::string(100'000, 'a'));
    redactor.add("abcabcabcabcabcabcabcabcabc");
    std::string text(16'384, 'a');
    CHECK(redactor.redact(text) == "***");
    text.clear();
    while (text.size() < 16'384) text += "abc";
    CHECK(redactor.redact(text) == "***");
    CHECK(redactor.redact(std::string(16'384, '\\')) == std::string(16'384, '\\'));
    CHECK(redactor.redact(std::string(16'384, '%')) == std::string(16'384, '%'));
}
