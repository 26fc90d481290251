#include "core/plugin/example.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <charconv>

namespace certcast {

namespace {

/// A string as a pipeline has it; no text of a descriptor holds a control character.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '$') out += '$';
        out += c;
    }
    return out + "\"";
}

/// Without the zeros in front that a default may have and TOML refuses.
std::string integer(const std::string& text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return std::to_string(number);
}

std::int64_t within(const Parameter& param, std::int64_t number) {
    const bool any = param.min == 0 && param.max == 0;
    return any ? number : std::clamp(number, param.min, param.max);
}

std::string upper_case(std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
}

Parameter element_of(const Parameter& param) {
    Parameter element = param;
    element.type = param.element_type;
    element.min = element.max = 0;
    return element;
}

std::string fields_of(const Parameter& param, const std::string& certificate) {
    std::string text;
    for (const Parameter& field : param.fields) {
        if (!field.has(CERTCAST_REQUIRED)) continue;
        text += (text.empty() ? "" : ", ") + field.name + " = " + example_of(field, certificate);
    }
    return text.empty() ? "{}" : "{ " + text + " }";
}

}  // namespace

std::string example_of(const Parameter& param, const std::string& certificate) {
    switch (param.type) {
        case ParameterType::none:
            break;
        case ParameterType::boolean:
            return param.default_value.value_or("true");
        case ParameterType::integer:
            return integer(param.default_value.value_or(std::to_string(within(param, 1))));
        case ParameterType::text:
            return quoted(param.default_value.value_or(param.name));
        case ParameterType::secret:
            return "{ env = " + quoted(upper_case(param.name)) + " }";
        case ParameterType::duration:
            return quoted(param.default_value.value_or(to_string(Duration(within(param, 30'000)))));
        case ParameterType::path:
            return quoted(param.default_value.value_or("/path/to/" + param.name));
        case ParameterType::choice:
            return quoted(param.default_value.value_or(param.choices.front()));
        case ParameterType::url:
            return quoted(param.default_value.value_or("https://host.example/path"));
        case ParameterType::endpoint:
            return quoted(param.default_value.value_or("host.example:443"));
        case ParameterType::command:
            return R"(["program", "argument"])";
        case ParameterType::list:
            return "[" + example_of(element_of(param), certificate) + "]";
        case ParameterType::map:
            return "{ name = " + example_of(element_of(param), certificate) + " }";
        case ParameterType::object:
            return fields_of(param, certificate);
        case ParameterType::certificate:
            return quoted(certificate);
    }
    return "\"\"";
}

std::string example_config(const Descriptor& descriptor, const std::string& certificate,
                           const std::string& indent) {
    const auto line = [&](const Parameter& param) {
        return indent + param.name + " = " + example_of(param, certificate) + "\n";
    };
    std::string text;
    for (const Parameter& param : descriptor.params) {
        if (param.has(CERTCAST_REQUIRED)) text += line(param);
    }
    if (text.empty() && !descriptor.params.empty()) text = line(descriptor.params.front());
    return text;
}

}  // namespace certcast
