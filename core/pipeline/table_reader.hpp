#pragma once

#include "core/base/duration.hpp"
#include "core/plugin/raw_value.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Reads one table of the pipeline key by key, reports what has the wrong type, and in finish()
/// every key that nobody asked for. The table outlives the reader.
class TableReader {
public:
    /// `path` names the table in messages; empty for the whole file.
    TableReader(const RawValue& table, std::string path, Diagnostics& diagnostics);

    /// Any type. nullptr: not given.
    const RawValue* find(std::string_view key);
    const RawValue* table(std::string_view key);
    std::optional<std::string> text(std::string_view key);
    std::optional<Duration> duration(std::string_view key);
    std::optional<std::uint32_t> count(std::string_view key, std::uint32_t most);
    std::vector<std::string> texts(std::string_view key);

    /// Keys of the grammar that this version does not have: using one is an error that says so.
    void not_available(std::initializer_list<std::string_view> keys);
    void finish();

    /// "deploy.edge.timeout".
    std::string path_of(std::string_view key) const;
    void error(const Location& location, std::string_view key, const std::string& message);

private:
    const RawValue* of_kind(RawValue::Kind kind, std::string_view key, std::string_view expected);

    const RawValue& table_;
    std::string path_;
    Diagnostics& diagnostics_;
    std::vector<std::string> known_;
    std::vector<std::string> later_;
};

/// "lock is not available in this version of certcast".
std::string not_available_text(std::string_view what);

/// Letters, digits, "-", "_" and ".", a letter or digit first: what names in the pipeline look
/// like.
bool is_name(std::string_view text);

/// Reports a name that is none; `what` is "certificate", "deployment", ...
void check_name(const RawEntry& entry, std::string_view what, Diagnostics& diagnostics);

}  // namespace certcast
