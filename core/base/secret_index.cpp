#include "core/base/secret_index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>

namespace certcast {

namespace {

constexpr std::size_t least_inside_words = 4;
constexpr std::size_t least_cut_off = 6;
constexpr std::size_t least_piece = 16;
constexpr std::size_t stride = 8;
/// Of the same bytes in one value: enough for one that repeats itself.
constexpr int most_equal_places = 4;

std::uint64_t bytes_at(std::string_view text, std::size_t at, std::size_t count) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + at, count);
    return bytes;
}

bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::size_t common_prefix(std::string_view a, std::string_view b) {
    const std::size_t size = std::min(a.size(), b.size());
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first -
                                    a.begin());
}

}  // namespace

std::size_t SecretIndex::Table::begin_of(std::uint64_t bytes) const {
    constexpr std::uint64_t spread = 0x9E37'79B9'7F4A'7C15;
    return (bytes * spread) >> (64 - std::countr_zero(slots_.size()));
}

void SecretIndex::Table::insert(const Slot& slot) {
    std::size_t at = begin_of(slot.bytes);
    while (slots_[at].value != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
    ++used_;
}

void SecretIndex::Table::add(std::uint64_t bytes, Place place) {
    constexpr std::size_t least = 1024;
    if (used_ * 4 >= slots_.size()) {
        decltype(slots_) before;
        before.swap(slots_);
        slots_.resize(std::max(least, before.size() * 2));
        used_ = 0;
        for (const Slot& slot : before) {
            if (slot.value != 0) insert(slot);
        }
    }
    insert({bytes, place.value + 1, place.offset});
}

template <typename Use>
void SecretIndex::Table::each(std::uint64_t bytes, Use use) const {
    if (slots_.empty()) return;
    for (std::size_t at = begin_of(bytes); slots_[at].value != 0;
         at = (at + 1) & (slots_.size() - 1)) {
        if (slots_[at].bytes == bytes) use(Place{slots_[at].value - 1, slots_[at].offset});
    }
}

bool SecretIndex::knows(std::string_view value, Pieces pieces) const {
    bool known = false;
    const auto same = [&](std::uint32_t number) {
        const Value& other = values_[number];
        known = known || (other.bytes.text() == value && other.pieces == pieces);
    };
    if (value.size() < least_inside_words) {
        for (const std::uint32_t number : words_) same(number);
    } else {
        by_four_.each(bytes_at(value, 0, 4), [&](Place place) { same(place.value); });
    }
    return known;
}

void SecretIndex::add(std::string_view value, Pieces pieces) {
    if (value.empty() || knows(value, pieces)) return;
    const auto number = static_cast<std::uint32_t>(values_.size());
    values_.push_back({Secret(value), pieces});
    const std::size_t size = value.size();
    if (size < least_inside_words) {
        words_.push_back(number);
        return;
    }
    by_four_.add(bytes_at(value, 0, 4), {number, 0});
    if (size > 4) {
        by_four_.add(bytes_at(value, size - 4, 4), {number, static_cast<std::uint32_t>(size - 4)});
    }
    std::map<std::uint64_t, int> places;
    for (std::size_t offset = 0; offset + 8 <= size; offset += stride) {
        const std::uint64_t bytes = bytes_at(value, offset, 8);
        if (++places[bytes] > most_equal_places) continue;
        by_eight_.add(bytes, {number, static_cast<std::uint32_t>(offset)});
        if (pieces == Pieces::harmless) break;
    }
}

void SecretIndex::search(const Searched& searched, const Found& found) const {
    const std::size_t size = searched.text.size();
    for (std::size_t at = 0; at < size; ++at) {
        if (size - at >= 4) search_by_four(searched, at, found);
        if (size - at >= 8) search_by_eight(searched, at, found);
        if (searched.words && !words_.empty()) search_words(searched, at, found);
    }
}

void SecretIndex::search_by_four(const Searched& searched, std::size_t at,
                                 const Found& found) const {
    const std::string_view text = searched.text;
    by_four_.each(bytes_at(text, at, 4), [&](Place place) {
        const std::string_view value = values_[place.value].bytes.text();
        if (place.offset == 0) {
            const std::size_t same = common_prefix(text.substr(at), value);
            const bool cut_off = searched.ends && at + same == text.size() && same >= least_cut_off;
            if (same == value.size() || cut_off) found(at, at + same - 1);
        } else if (searched.begins && at < place.offset) {
            const std::size_t end = at + 4;
            if (end >= least_cut_off && value.ends_with(text.substr(0, end))) found(0, end - 1);
        }
    });
}

void SecretIndex::search_by_eight(const Searched& searched, std::size_t at,
                                  const Found& found) const {
    const std::string_view text = searched.text;
    by_eight_.each(bytes_at(text, at, 8), [&](Place place) {
        const Value& entry = values_[place.value];
        const std::string_view value = entry.bytes.text();
        // More than that before it would have been found at the place before.
        std::size_t before = 0;
        while (before < stride && before < at && before < place.offset &&
               text[at - before - 1] == value[place.offset - before - 1]) {
            ++before;
        }
        const std::size_t same =
            before + common_prefix(text.substr(at), value.substr(place.offset));
        const bool piece = entry.pieces == Pieces::secret && same >= least_piece;
        if (same == value.size() || piece) found(at - before, at - before + same - 1);
    });
}

void SecretIndex::search_words(const Searched& searched, std::size_t at, const Found& found) const {
    const std::string_view text = searched.text;
    if (at > 0 && is_word(text[at - 1])) return;
    for (const std::uint32_t number : words_) {
        const std::string_view value = values_[number].bytes.text();
        const std::size_t end = at + value.size();
        if (!text.substr(at).starts_with(value)) continue;
        if (end == text.size() || !is_word(text[end])) found(at, end - 1);
    }
}

}  // namespace certcast
