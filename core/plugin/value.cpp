#include "core/plugin/value.hpp"

namespace certcast {

std::string_view in_words(ParameterType type) {
    switch (type) {
        case ParameterType::none:
            return "nothing";
        case ParameterType::boolean:
            return "true or false";
        case ParameterType::integer:
            return "a whole number";
        case ParameterType::text:
            return "a string";
        case ParameterType::secret:
            return "a reference to a secret, like { secret = \"NAME\" }";
        case ParameterType::duration:
            return "a duration, like \"30s\"";
        case ParameterType::path:
            return "a path";
        case ParameterType::choice:
            return "one of its choices";
        case ParameterType::url:
            return "a URL, like \"https://host/path\"";
        case ParameterType::endpoint:
            return "an endpoint, like \"host:443\"";
        case ParameterType::command:
            return "a command, like [\"nginx\", \"-t\"]";
        case ParameterType::list:
            return "a list";
        case ParameterType::map:
            return "a table of names and values";
        case ParameterType::object:
            return "a table";
        case ParameterType::certificate:
            return "the name of one of the deployment's certificates";
    }
    return "a value of an unknown type";
}

const Value* Value::find(std::string_view key) const {
    for (const auto& [name, value] : entries) {
        if (name == key) return &value;
    }
    return nullptr;
}

std::vector<std::string> Value::texts() const {
    std::vector<std::string> all;
    all.reserve(entries.size());
    for (const auto& [name, value] : entries) all.push_back(value.text);
    return all;
}

void encode(const Value& value, wire::Writer& out) {
    out.u32(static_cast<std::uint32_t>(value.type));
    out.i64(value.integer);
    out.text(value.text);
    out.u32(static_cast<std::uint32_t>(value.entries.size()));
    for (const auto& [key, entry] : value.entries) {
        out.text(key);
        encode(entry, out);
    }
}

}  // namespace certcast
