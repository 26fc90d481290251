#pragma once

#include "core/base/secret_index.hpp"

#include <string>
#include <string_view>

namespace certcast {

/// Knows what must not be shown and masks it in text that is about to be. Holds values, wiped.
class Redactor {
public:
    /// Masks the value wherever it occurs, as it is or encoded (see for_each_reading), each of its
    /// lines of six bytes or more, and where its pieces are secret any sixteen bytes of it. Values
    /// shorter than four bytes are masked only where they stand as a word of their own: anywhere
    /// else they would tear up ordinary text and tell a reader where to look.
    void add(std::string_view value, Pieces pieces = Pieces::secret);

    /// The text with every occurrence, and every PEM private key, replaced by "***"; what stands at
    /// its end and begins a value, or at its begin and ends one, is one that was cut in two.
    std::string redact(std::string_view text) const;

private:
    SecretIndex values_;
};

}  // namespace certcast
