#include "core/base/redactor.hpp"

#include <algorithm>

namespace certcast {

namespace {

constexpr std::string_view mask = "***";
constexpr std::size_t least_inside_words = 4;
constexpr std::size_t least_line = 6;
constexpr std::size_t least_cut_off = 6;

bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::size_t bucket_of(char c) {
    return static_cast<unsigned char>(c);
}

/// The size of the PEM private key that begins at `at`, or 0. One that is cut off reaches to the
/// end.
std::size_t private_key_size(std::string_view text, std::size_t at) {
    constexpr std::string_view begin = "-----BEGIN ";
    constexpr std::string_view label_end = "PRIVATE KEY-----";
    constexpr std::size_t longest_label = 40;
    if (text.substr(at, begin.size()) != begin) return 0;
    const std::size_t label = text.substr(at + begin.size(), longest_label).find(label_end);
    if (label == std::string_view::npos) return 0;
    const std::size_t end = text.find("-----END ", at);
    if (end == std::string_view::npos) return text.size() - at;
    const std::size_t last = text.find(label_end, end);
    return last == std::string_view::npos ? text.size() - at : last + label_end.size() - at;
}

}  // namespace

void Redactor::add(std::string_view value) {
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) {
        value.remove_suffix(1);
    }
    if (value.empty()) return;
    remember(value);
    if (value.find('\n') == std::string_view::npos) return;
    while (!value.empty()) {
        const std::size_t end = value.find('\n');
        std::string_view line = value.substr(0, end);
        value.remove_prefix(end == std::string_view::npos ? value.size() : end + 1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        if (line.size() >= least_line && !line.starts_with("-----")) remember(line);
    }
}

void Redactor::remember(std::string_view value) {
    std::vector<Secret>& bucket = values_[bucket_of(value.front())];
    const auto place = std::find_if(bucket.begin(), bucket.end(), [&](const Secret& other) {
        return other.size() < value.size() || other.text() == value;
    });
    if (place != bucket.end() && place->text() == value) return;
    bucket.emplace(place, value);
}

std::size_t Redactor::longest_match(std::string_view text, std::size_t at) const {
    const std::string_view rest = text.substr(at);
    for (const Secret& value : values_[bucket_of(text[at])]) {
        const bool cut_off = rest.size() >= least_cut_off && value.text().starts_with(rest);
        if (cut_off) return rest.size();
        if (!rest.starts_with(value.text())) continue;
        if (value.size() >= least_inside_words) return value.size();
        const std::size_t end = at + value.size();
        const bool inside_word =
            (at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end]));
        if (!inside_word) return value.size();
    }
    return 0;
}

std::string Redactor::redact(std::string_view text) const {
    std::string shown;
    shown.reserve(text.size());
    std::size_t masked_until = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        // Inside of what is masked no other key can begin, and looking for one takes its time.
        const std::size_t key = at < masked_until ? 0 : private_key_size(text, at);
        const std::size_t size = std::max(longest_match(text, at), key);
        if (size > 0) {
            if (at >= masked_until) shown += mask;
            masked_until = std::max(masked_until, at + size);
        }
        if (at >= masked_until) shown += text[at];
    }
    return shown;
}

}  // namespace certcast
