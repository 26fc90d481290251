#pragma once

#include "core/base/wire.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// The types a parameter can have; the numbers are those of the ABI.
enum class ParameterType : std::uint32_t {
    none = 0,
    boolean = 1,
    integer = 2,
    text = 3,
    secret = 4,
    duration = 5,
    path = 6,
    choice = 7,
    url = 8,
    endpoint = 9,
    command = 10,
    list = 11,
    map = 12,
    object = 13,
    certificate = 14,
};

/// "a path", "a duration, like 30s": for messages.
std::string_view in_words(ParameterType type);

struct ValueEntry;

/// One configuration value after it was checked against its schema; the mirror of certcast_value.
struct Value {
    ParameterType type = ParameterType::none;
    std::int64_t integer = 0;
    std::string text;
    std::vector<ValueEntry> entries;

    /// The entry with this key, or nullptr.
    const Value* find(std::string_view key) const;
    /// LIST or COMMAND: the texts of the entries.
    std::vector<std::string> texts() const;
};

struct ValueEntry {
    std::string key;
    Value value;
};

void encode(const Value& value, wire::Writer& out);

}  // namespace certcast
