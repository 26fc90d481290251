#pragma once

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace json_parts {

/// Nothing where it is not there, or no text.
std::optional<std::string_view> text_in(const boost::json::object& object, std::string_view key);
/// `otherwise` where it is not there, or no whole number.
std::int64_t number_in(const boost::json::object& object, std::string_view key,
                       std::int64_t otherwise = 0);
/// As RFC 3339 has it, in UTC: "2026-11-28T15:31:36Z". Nothing where it is not there, or no time.
std::optional<std::chrono::system_clock::time_point> time_in(const boost::json::object& object,
                                                             std::string_view key);
/// An empty one where it is not there, or no object.
const boost::json::object& part_of(const boost::json::object& object, std::string_view key);
/// Those that are objects, of a list.
std::vector<const boost::json::object*> parts_of(const boost::json::object& object,
                                                 std::string_view key);

}  // namespace json_parts
