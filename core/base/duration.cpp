#include "core/base/duration.hpp"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace certcast {

namespace {

struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
};
constexpr Unit units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 24 * 3'600'000}};
constexpr std::int64_t longest = 10LL * 366 * 24 * 3'600'000;

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (failure == std::errc() && number >= 0) {
        for (const Unit& candidate : units) {
            if (unit == candidate.name && number <= longest / candidate.milliseconds) {
                return Duration(number * candidate.milliseconds);
            }
        }
    }
    return Error{
        ErrorCode::invalid,
        "\"" + std::string(text) +
            "\" is no duration: expected a number and a unit, like 250ms, 20s, 5m, 1h or 90d",
        {}};
}

std::string to_string(Duration duration) {
    const std::int64_t ms = duration.count();
    const Unit* best = &units[0];
    for (const Unit& candidate : units) {
        if (ms != 0 && ms % candidate.milliseconds == 0) best = &candidate;
    }
    return std::to_string(ms / best->milliseconds) + std::string(best->name);
}

std::string in_words(Duration duration) {
    const std::int64_t ms = duration.count();
    if (ms < 10'000) {
        char text[32];
        std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1000);
        return text;
    }
    const std::int64_t seconds = ms / 1000;
    if (seconds < 60) return std::to_string(seconds) + " s";
    return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
}

}  // namespace certcast
