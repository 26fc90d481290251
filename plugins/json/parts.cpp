#include "plugins/json/parts.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <ctime>
#include <string>

namespace json_parts {

namespace json = boost::json;
using std::chrono::system_clock;

std::optional<std::string_view> text_in(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return std::string_view(found->get_string());
}

std::int64_t number_in(const json::object& object, std::string_view key, std::int64_t otherwise) {
    const json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_int64() ? found->get_int64() : otherwise;
}

std::optional<system_clock::time_point> time_in(const json::object& object, std::string_view key) {
    const std::string text(text_in(object, key).value_or(""));
    tm parts{};
    const char* const rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr || !text.ends_with('Z')) return std::nullopt;
    // The clock ends in the year 2262, and nothing that is asked for lies before it began.
    const std::time_t latest = system_clock::to_time_t(system_clock::time_point::max());
    return system_clock::from_time_t(std::clamp(timegm(&parts), std::time_t{0}, latest));
}

const json::object& part_of(const json::object& object, std::string_view key) {
    static const json::object none;
    const json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_object() ? found->get_object() : none;
}

std::vector<const json::object*> parts_of(const json::object& object, std::string_view key) {
    std::vector<const json::object*> parts;
    const json::value* const found = object.if_contains(key);
    if (found == nullptr || !found->is_array()) return parts;
    for (const json::value& one : found->get_array()) {
        if (one.is_object()) parts.push_back(&one.get_object());
    }
    return parts;
}

}  // namespace json_parts
