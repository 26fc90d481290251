#pragma once

#include "core/base/error.hpp"

#include <string>

namespace certcast {

/// Calls `read` with what `list` gave, again if that is another list afterwards: then a renewal was
/// under way, and what was read may be of two minds. Gives up after the third time.
template <typename List, typename Read>
auto read_settled(const std::string& where, List list, Read read) -> decltype(read(*list())) {
    constexpr int most_readings = 3;
    for (int reading = 0; reading < most_readings; ++reading) {
        const auto before = list();
        if (before.has_error()) return before.error();
        auto outcome = read(*before);
        const auto after = list();
        if (after.has_value() && *after == *before) return outcome;
    }
    return Error{ErrorCode::io,
                 "kept changing while it was being read: try again once the renewal is done",
                 where};
}

}  // namespace certcast
