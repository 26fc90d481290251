#include "core/pipeline/table_reader.hpp"

#include "core/base/nearest.hpp"

#include <algorithm>
#include <utility>

namespace certcast {

namespace {

constexpr std::size_t longest_name = 128;

}  // namespace

TableReader::TableReader(const RawValue& table, std::string path, Diagnostics& diagnostics)
    : table_(table), path_(std::move(path)), diagnostics_(diagnostics) {}

std::string TableReader::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void TableReader::error(const Location& location, std::string_view key,
                        const std::string& message) {
    diagnostics_.error(location, path_of(key) + ": " + message);
}

const RawValue* TableReader::find(std::string_view key) {
    known_.emplace_back(key);
    return table_.find(key);
}

const RawValue* TableReader::of_kind(RawValue::Kind kind, std::string_view key,
                                     std::string_view expected) {
    const RawValue* value = find(key);
    if (value == nullptr || value->kind == kind) return value;
    error(value->location, key,
          "expected " + std::string(expected) + ", found " + in_words(*value));
    return nullptr;
}

const RawValue* TableReader::table(std::string_view key) {
    return of_kind(RawValue::Kind::table, key, "a table");
}

std::optional<std::string> TableReader::text(std::string_view key) {
    const RawValue* value = of_kind(RawValue::Kind::text, key, "a string");
    if (value == nullptr) return std::nullopt;
    if (value->text.empty()) error(value->location, key, "expected a string, found an empty one");
    return value->text;
}

std::optional<Duration> TableReader::duration(std::string_view key) {
    const RawValue* value = of_kind(RawValue::Kind::text, key, "a duration, like \"30s\"");
    if (value == nullptr) return std::nullopt;
    const Result<Duration> parsed = parse_duration(value->text);
    if (!parsed) {
        error(value->location, key, parsed.error().message);
        return std::nullopt;
    }
    return *parsed;
}

std::optional<std::uint32_t> TableReader::count(std::string_view key, std::uint32_t most) {
    const RawValue* written = find(key);
    if (written == nullptr) return std::nullopt;
    const RawValue typed = as_integer(*written);
    const RawValue* value = &typed;
    if (value->kind != RawValue::Kind::integer) {
        error(value->location, key, "expected a whole number, found " + in_words(*value));
        return std::nullopt;
    }
    if (value->integer < 1 || value->integer > most) {
        error(
            value->location, key,
            "expected a number from 1 to " + std::to_string(most) + ", found " + in_words(*value));
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(value->integer);
}

std::vector<std::string> TableReader::texts(std::string_view key) {
    std::vector<std::string> all;
    const RawValue* value = of_kind(RawValue::Kind::list, key, "a list of strings");
    if (value == nullptr) return all;
    for (const RawEntry& element : value->entries) {
        if (element.value.kind != RawValue::Kind::text || element.value.text.empty()) {
            error(element.value.location, key,
                  "expected strings, found " + in_words(element.value));
        } else {
            all.push_back(element.value.text);
        }
    }
    return all;
}

void TableReader::not_available(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
        later_.emplace_back(key);
        if (const RawEntry* entry = table_.find_entry(key)) {
            diagnostics_.error(entry->key_location, not_available_text(path_of(key)));
        }
    }
}

void TableReader::finish() {
    for (const RawEntry& entry : table_.entries) {
        const auto is_key = [&](const std::string& name) { return name == entry.key; };
        if (std::any_of(known_.begin(), known_.end(), is_key) ||
            std::any_of(later_.begin(), later_.end(), is_key)) {
            continue;
        }
        diagnostics_.error(entry.key_location, "unknown key " + in_quotes(path_of(entry.key)) +
                                                   suggestion(entry.key, known_));
    }
}

std::string not_available_text(std::string_view what) {
    return std::string(what) + " is not available in this version of certcast";
}

bool is_name(std::string_view text) {
    const auto is_alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return !text.empty() && text.size() <= longest_name && is_alphanumeric(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
           });
}

void check_name(const RawEntry& entry, std::string_view what, Diagnostics& diagnostics) {
    if (is_name(entry.key)) return;
    diagnostics.error(entry.key_location,
                      in_quotes(entry.key) + " is no name for a " + std::string(what) +
                          ": expected letters, digits, \"-\", \"_\" and \".\", a letter or digit "
                          "first");
}

}  // namespace certcast
