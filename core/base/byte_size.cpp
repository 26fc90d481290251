#include "core/base/byte_size.hpp"

#include <charconv>

namespace certcast {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t bytes;
};

constexpr Unit units[] = {{"TiB", std::uint64_t{1} << 40},
                          {"GiB", std::uint64_t{1} << 30},
                          {"MiB", std::uint64_t{1} << 20},
                          {"KiB", std::uint64_t{1} << 10},
                          {"B", 1}};
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 50;

}  // namespace

Result<std::uint64_t> parse_byte_size(std::string_view text) {
    const Error wrong{ErrorCode::invalid,
                      "expected a number and a unit, like 64KiB, 512MiB or 2GiB, at most 1024TiB, "
                      "found \"" +
                          std::string(text) + "\"",
                      {}};
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, failure] = std::from_chars(text.data(), end, number);
    if (failure != std::errc()) return wrong;
    const std::string_view name(rest, static_cast<std::size_t>(end - rest));
    for (const Unit& unit : units) {
        if (name == unit.name && number <= most_bytes / unit.bytes) return number * unit.bytes;
    }
    return wrong;
}

std::string to_byte_size(std::uint64_t bytes) {
    for (const Unit& unit : units) {
        if (bytes != 0 && bytes % unit.bytes == 0) {
            return std::to_string(bytes / unit.bytes) + std::string(unit.name);
        }
    }
    return "0B";
}

}  // namespace certcast
