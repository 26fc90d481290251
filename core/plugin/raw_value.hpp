#pragma once

#include "core/base/diagnostic.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

struct RawEntry;

/// A value as an operator wrote it, before any schema was applied to it.
struct RawValue {
    enum class Kind { text, integer, boolean, number, date, list, table };
    Kind kind = Kind::table;
    std::int64_t integer = 0;  ///< of integer; of boolean 0 or 1
    std::string text;          ///< of text; of number and date as it is spelled
    /// A text that stands for any scalar: "443" does where a number is wanted. So are defaults and
    /// what comes from files that know no types.
    bool untyped = false;
    std::vector<RawEntry> entries;  ///< of list (keys are empty) and table, in the order written
    Location location;

    const RawValue* find(std::string_view key) const;
    const RawEntry* find_entry(std::string_view key) const;
};

struct RawEntry {
    std::string key;
    Location key_location;
    RawValue value;
};

/// About how many bytes a copy takes.
std::size_t size_of(const RawValue& value);

/// The value, or what an untyped text stands for where an integer or a boolean is wanted.
RawValue as_integer(const RawValue& value);
RawValue as_boolean(const RawValue& value);

/// "30", "\"abc\"", "a table": what was found, for messages.
std::string in_words(const RawValue& value);

/// In double quotes, shortened, and without control characters, so that it may be shown.
std::string in_quotes(std::string_view text);

}  // namespace certcast
