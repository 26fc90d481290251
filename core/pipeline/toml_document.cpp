#include "core/pipeline/toml_document.hpp"

#include "core/base/utf8.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>
#include <tuple>

namespace certcast {

namespace {

constexpr std::size_t deepest = 32;

struct TooDeep {
    Location location;
};

Location location_of(const toml::source_region& region, const std::string& file) {
    return {file, region.begin.line, region.begin.column};
}

/// Whoever parses a dotted key makes a table per dot, and frees them by recursion, so that a key of
/// a hundred thousand dots would end the process. A key stands on one line: gives the number of one
/// that has too many dots, whatever they are for, or 0.
std::uint32_t line_of_dots(std::string_view text) {
    constexpr std::ptrdiff_t most_dots = 4'000;
    for (std::uint32_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (std::count(line.begin(), line.end(), '.') > most_dots) return number;
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return 0;
}

template <typename T>
std::string spelled(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

bool comes_before(const RawEntry& a, const RawEntry& b) {
    return std::tie(a.key_location.line, a.key_location.column) <
           std::tie(b.key_location.line, b.key_location.column);
}

RawValue converted(const toml::node& node, const Location& fallback, std::size_t depth) {
    RawValue raw;
    raw.location = location_of(node.source(), fallback.file);
    if (raw.location.line == 0) raw.location = fallback;
    if (depth > deepest) throw TooDeep{raw.location};
    switch (node.type()) {
        case toml::node_type::none:
            break;
        case toml::node_type::table:
            raw.kind = RawValue::Kind::table;
            for (const auto& [key, value] : *node.as_table()) {
                const Location at = location_of(key.source(), fallback.file);
                raw.entries.push_back(
                    {std::string(key.str()), at, converted(value, at, depth + 1)});
            }
            std::stable_sort(raw.entries.begin(), raw.entries.end(), comes_before);
            break;
        case toml::node_type::array:
            raw.kind = RawValue::Kind::list;
            for (const toml::node& element : *node.as_array()) {
                RawValue value = converted(element, raw.location, depth + 1);
                const Location at = value.location;
                raw.entries.push_back({{}, at, std::move(value)});
            }
            break;
        case toml::node_type::string:
            raw.kind = RawValue::Kind::text;
            raw.text = node.as_string()->get();
            break;
        case toml::node_type::integer:
            raw.kind = RawValue::Kind::integer;
            raw.integer = node.as_integer()->get();
            break;
        case toml::node_type::floating_point:
            raw.kind = RawValue::Kind::number;
            raw.text = spelled(node.as_floating_point()->get());
            break;
        case toml::node_type::boolean:
            raw.kind = RawValue::Kind::boolean;
            raw.integer = node.as_boolean()->get() ? 1 : 0;
            break;
        case toml::node_type::date:
            raw.kind = RawValue::Kind::date;
            raw.text = spelled(node.as_date()->get());
            break;
        case toml::node_type::time:
            raw.kind = RawValue::Kind::date;
            raw.text = spelled(node.as_time()->get());
            break;
        case toml::node_type::date_time:
            raw.kind = RawValue::Kind::date;
            raw.text = spelled(node.as_date_time()->get());
            break;
    }
    return raw;
}

/// Text that ends at a NUL for the system is not what was written.
void refuse_nul(const RawValue& raw, Diagnostics& diagnostics) {
    const auto has_nul = [](const std::string& text) {
        return text.find('\0') != std::string::npos;
    };
    if (has_nul(raw.text)) diagnostics.error(raw.location, "the string holds a NUL character");
    for (const RawEntry& entry : raw.entries) {
        if (has_control_character(entry.key)) {
            diagnostics.error(entry.key_location, "the key holds a control character");
        }
        refuse_nul(entry.value, diagnostics);
    }
}

}  // namespace

std::optional<RawValue> parse_toml(std::string_view text, const std::string& file,
                                   Diagnostics& diagnostics) {
    const std::string too_deep =
        "nested deeper than " + std::to_string(deepest) + " levels, expected fewer";
    if (const std::uint32_t line = line_of_dots(text); line != 0) {
        diagnostics.error({file, line, 1},
                          "the line holds more than 4000 dots, expected shorter ones");
        return std::nullopt;
    }
    try {
        const toml::table document = toml::parse(text, file);
        RawValue raw = converted(document, {file, 1, 1}, 0);
        refuse_nul(raw, diagnostics);
        return raw;
    } catch (const toml::parse_error& failure) {
        diagnostics.error(location_of(failure.source(), file),
                          "no valid TOML: " + std::string(failure.description()));
    } catch (const TooDeep& deep) {
        diagnostics.error(deep.location, too_deep);
    }
    return std::nullopt;
}

}  // namespace certcast
