#pragma once

#include "core/base/redactor.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Makes text of others fit to be shown: secrets masked, control characters and whatever else could
/// steer a terminal made visible. Everything that a report prints goes through it. The redactor
/// outlives it.
class TextFilter {
public:
    explicit TextFilter(const Redactor& redactor) : redactor_(&redactor) {}

    /// For one line of a screen: line ends become spaces.
    std::string line(std::string_view text) const;
    /// For a block of lines; empty ones at the end are dropped.
    std::vector<std::string> lines(std::string_view text) const;
    /// For a JSON string, where only invalid UTF-8 has to go.
    std::string data(std::string_view text) const;

private:
    const Redactor* redactor_;
};

/// Columns that UTF-8 text takes on a terminal.
std::size_t width(std::string_view text);

/// The beginning of the text that fits `columns`, with an ellipsis where something is missing.
std::string clipped(std::string_view text, std::size_t columns);

/// The text with spaces behind it, to `columns`.
std::string padded(std::string text, std::size_t columns);

}  // namespace certcast
