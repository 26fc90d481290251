#pragma once

#include "core/base/secret.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Knows what must not be shown and masks it in text that is about to be. Holds values, wiped.
class Redactor {
public:
    /// Masks the value wherever it occurs, and each of its lines of six bytes or more. Values
    /// shorter than four bytes are masked only where they stand as a word of their own: anywhere
    /// else they would tear up ordinary text and tell a reader where to look.
    void add(std::string_view value);

    /// The text with every occurrence, and every PEM private key, replaced by "***"; what stands at
    /// its end and begins a value is one that was cut off.
    std::string redact(std::string_view text) const;

private:
    void remember(std::string_view value);
    std::size_t longest_match(std::string_view text, std::size_t at) const;

    /// By first byte, longest first.
    std::array<std::vector<Secret>, 256> values_;
};

}  // namespace certcast
