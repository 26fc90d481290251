#include "core/plugin/raw_value.hpp"

#include "core/base/utf8.hpp"

#include <algorithm>
#include <charconv>

namespace certcast {

const RawEntry* RawValue::find_entry(std::string_view key) const {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const RawEntry& entry) { return entry.key == key; });
    return found == entries.end() ? nullptr : &*found;
}

const RawValue* RawValue::find(std::string_view key) const {
    const RawEntry* entry = find_entry(key);
    return entry == nullptr ? nullptr : &entry->value;
}

std::size_t size_of(const RawValue& value) {
    std::size_t size = sizeof value + value.text.size();
    for (const RawEntry& entry : value.entries) size += entry.key.size() + size_of(entry.value);
    return size;
}

RawValue as_integer(const RawValue& value) {
    if (value.kind != RawValue::Kind::text || !value.untyped) return value;
    const char* const last = value.text.data() + value.text.size();
    RawValue typed = value;
    const auto [end, failure] = std::from_chars(value.text.data(), last, typed.integer);
    if (failure == std::errc() && end == last) typed.kind = RawValue::Kind::integer;
    return typed;
}

RawValue as_boolean(const RawValue& value) {
    const bool is_word = value.text == "true" || value.text == "false";
    if (value.kind != RawValue::Kind::text || !value.untyped || !is_word) return value;
    RawValue typed = value;
    typed.kind = RawValue::Kind::boolean;
    typed.integer = value.text == "true" ? 1 : 0;
    return typed;
}

std::string in_words(const RawValue& value) {
    switch (value.kind) {
        case RawValue::Kind::text:
            return in_quotes(value.text);
        case RawValue::Kind::integer:
            return std::to_string(value.integer);
        case RawValue::Kind::boolean:
            return value.integer != 0 ? "true" : "false";
        case RawValue::Kind::number:
            return value.text;
        case RawValue::Kind::date:
            return "the date " + value.text;
        case RawValue::Kind::list:
            return "a list";
        case RawValue::Kind::table:
            return "a table";
    }
    return "something else";
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string shown(text.substr(0, longest));
    if (text.size() > longest) {
        while (!shown.empty() && !is_utf8(shown)) shown.pop_back();
        shown += "...";
    }
    std::string clean;
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const std::size_t length = static_cast<unsigned char>(shown[i]) == 0xc2 ? 2 : 1;
        const bool control = has_control_character(std::string_view(shown).substr(i, length));
        clean += control ? '?' : shown[i];
        if (control) i += length - 1;
    }
    return "\"" + clean + "\"";
}

}  // namespace certcast
