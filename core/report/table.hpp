#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace certcast {

/// What is in one line of a table, column by column.
using Row = std::vector<std::string>;

/// Columns as wide as what is in them; the last one is not filled up.
std::string table(const std::vector<Row>& rows);

/// The beginning of a fingerprint, or "-".
std::string short_print(const std::string& sha256);

/// "2026-12-01 (in 8 days)", of seconds since 1970, or "-".
std::string expiry(std::int64_t not_after, std::int64_t now);

}  // namespace certcast
