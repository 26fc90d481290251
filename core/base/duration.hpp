#pragma once

#include "core/base/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace certcast {

using Duration = std::chrono::milliseconds;

/// A number and a unit: "250ms", "20s", "5m", "1h". At most ten years.
Result<Duration> parse_duration(std::string_view text);

/// The shortest exact spelling: "1500ms", "90s", "2m".
std::string to_string(Duration duration);

/// For people: "0.4 s", "12 s", "3 min 20 s".
std::string in_words(Duration duration);

}  // namespace certcast
