#include "core/base/redactor.hpp"

#include "core/base/reading.hpp"

#include <algorithm>
#include <vector>

namespace certcast {

namespace {

constexpr std::string_view mask = "***";
constexpr std::size_t least_line = 6;

/// The size of the PEM private key that begins at `at`, or 0. One that is cut off reaches to the
/// end.
std::size_t private_key_size(std::string_view text, std::size_t at) {
    constexpr std::string_view begin = "-----BEGIN ";
    constexpr std::string_view label_end = "PRIVATE KEY-----";
    constexpr std::size_t longest_label = 40;
    const std::size_t label = text.substr(at + begin.size(), longest_label).find(label_end);
    if (label == std::string_view::npos) return 0;
    const std::size_t end = text.find("-----END ", at);
    if (end == std::string_view::npos) return text.size() - at;
    const std::size_t last = text.find(label_end, end);
    return last == std::string_view::npos ? text.size() - at : last + label_end.size() - at;
}

void find_private_keys(std::string_view text, std::vector<TextRange>& found) {
    std::size_t at = text.find("-----BEGIN ");
    while (at != std::string_view::npos) {
        const std::size_t size = private_key_size(text, at);
        if (size > 0) found.push_back({at, at + size});
        at = text.find("-----BEGIN ", at + std::max<std::size_t>(size, 1));
    }
}

std::string masked(std::string_view text, std::vector<TextRange>& ranges) {
    std::sort(ranges.begin(), ranges.end(),
              [](const TextRange& a, const TextRange& b) { return a.from < b.from; });
    std::string shown;
    shown.reserve(text.size());
    std::size_t shown_until = 0;
    for (const TextRange& range : ranges) {
        if (range.from >= shown_until) {
            shown += text.substr(shown_until, range.from - shown_until);
            shown += mask;
        }
        shown_until = std::max(shown_until, range.to);
    }
    return shown += text.substr(shown_until);
}

}  // namespace

void Redactor::add(std::string_view value, Pieces pieces) {
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) {
        value.remove_suffix(1);
    }
    values_.add(value, pieces);
    if (value.find('\n') == std::string_view::npos) return;
    while (!value.empty()) {
        const std::size_t end = value.find('\n');
        std::string_view line = value.substr(0, end);
        value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.size() >= least_line && !line.starts_with("-----")) values_.add(line, pieces);
    }
}

std::string Redactor::redact(std::string_view text) const {
    std::vector<TextRange> found;
    find_private_keys(text, found);
    if (!values_.empty()) {
        values_.search({.text = text}, [&](std::size_t first, std::size_t last) {
            found.push_back({first, last + 1});
        });
        for_each_reading(text, [&](const Reading& reading) {
            if (reading.text().empty()) return;
            const TextRange all = reading.place_of(0, reading.text().size() - 1);
            const Searched searched{.text = reading.text(),
                                    .begins = all.from == 0,
                                    .ends = all.to == text.size(),
                                    .words = false};
            values_.search(searched, [&](std::size_t first, std::size_t last) {
                found.push_back(reading.place_of(first, last));
            });
        });
    }
    return found.empty() ? std::string(text) : masked(text, found);
}

}  // namespace certcast
