#include "core/plugin/schema.hpp"

#include "core/base/endpoint.hpp"
#include "core/base/nearest.hpp"
#include "core/plugin/text_rules.hpp"

#include <certcast/plugin.h>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace certcast {

namespace {

/// The parameter that describes one element of a LIST or MAP.
Parameter element_of(const Parameter& param) {
    Parameter element = param;
    element.type = param.element_type;
    element.element_type = ParameterType::none;
    element.min = element.max = 0;
    element.default_value.reset();
    return element;
}

std::string expected(const Parameter& param) {
    if (param.type == ParameterType::choice) {
        std::string text = "one of ";
        for (const std::string& choice : param.choices) {
            text += (&choice == &param.choices.front() ? "\"" : ", \"") + choice + "\"";
        }
        return text;
    }
    if (param.type == ParameterType::list) {
        return "a list, each element " + expected(element_of(param));
    }
    return std::string(in_words(param.type));
}

std::string limit_text(const Parameter& param, std::int64_t limit) {
    if (param.type == ParameterType::duration) return to_string(Duration(limit));
    return std::to_string(limit);
}

class ConfigCheck {
public:
    ConfigCheck(const SchemaContext& context, Diagnostics& diagnostics)
        : context_(context), diagnostics_(diagnostics) {}

    Value object(const RawValue& table, std::span<const Parameter> params, const std::string& path);
    Value value(const RawValue& raw, const Parameter& param, const std::string& path);

private:
    void report_unknown(const RawValue& table, std::span<const Parameter> params,
                        const std::string& path);
    const RawEntry* given(const RawValue& table, const Parameter& param, const std::string& path);

    void boolean(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void integer(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void duration(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void text(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void path(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void secret(const RawValue& raw, const std::string& path, Value& out);
    void certificate(const RawValue& raw, const Parameter& param, const std::string& path,
                     Value& out);
    void command(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);
    void elements(const RawValue& raw, const Parameter& param, const std::string& path, Value& out);

    void within(const RawValue& raw, const Parameter& param, const std::string& path,
                std::int64_t number, std::string_view unit);
    bool is(RawValue::Kind kind, const RawValue& raw, const Parameter& param,
            const std::string& path, std::string_view hint = {});
    void error(const RawValue& raw, const std::string& path, std::string message);

    const SchemaContext& context_;
    Diagnostics& diagnostics_;
};

void ConfigCheck::error(const RawValue& raw, const std::string& path, std::string message) {
    diagnostics_.error(raw.location, path + ": " + std::move(message));
}

bool ConfigCheck::is(RawValue::Kind kind, const RawValue& raw, const Parameter& param,
                     const std::string& path, std::string_view hint) {
    if (raw.kind == kind) return true;
    error(raw, path,
          "expected " + expected(param) + ", found " + in_words(raw) + std::string(hint));
    return false;
}

void ConfigCheck::report_unknown(const RawValue& table, std::span<const Parameter> params,
                                 const std::string& path) {
    std::vector<std::string> known;
    for (const Parameter& param : params) known.push_back(param.name);
    for (const RawEntry& entry : table.entries) {
        const bool is_known =
            std::any_of(params.begin(), params.end(), [&](const Parameter& param) {
                return param.name == entry.key ||
                       std::count(param.aliases.begin(), param.aliases.end(), entry.key) != 0;
            });
        if (is_known) continue;
        diagnostics_.error(entry.key_location, path + " has no parameter " + in_quotes(entry.key) +
                                                   suggestion(entry.key, known));
    }
}

const RawEntry* ConfigCheck::given(const RawValue& table, const Parameter& param,
                                   const std::string& path) {
    const RawEntry* found = table.find_entry(param.name);
    for (const std::string& alias : param.aliases) {
        const RawEntry* other = table.find_entry(alias);
        if (other == nullptr) continue;
        if (found != nullptr) {
            diagnostics_.error(other->key_location, path + "." + alias + " is another name of " +
                                                        found->key + ": give one of them");
        } else {
            found = other;
        }
    }
    if (found != nullptr && param.has(CERTCAST_DEPRECATED)) {
        diagnostics_.warning(found->key_location,
                             path + "." + found->key + " is deprecated" +
                                 (param.doc.empty() ? std::string() : ": " + param.doc));
    }
    return found;
}

Value ConfigCheck::object(const RawValue& table, std::span<const Parameter> params,
                          const std::string& path) {
    Value out;
    out.type = ParameterType::object;
    report_unknown(table, params, path);
    for (const Parameter& param : params) {
        Value checked;
        if (const RawEntry* entry = given(table, param, path)) {
            checked = value(entry->value, param, path + "." + param.name);
        } else if (param.default_value) {
            RawValue raw;
            raw.kind = RawValue::Kind::text;
            raw.text = *param.default_value;
            raw.untyped = true;
            raw.location = table.location;
            checked = value(raw, param, path + "." + param.name);
        } else if (param.has(CERTCAST_REQUIRED)) {
            diagnostics_.error(table.location,
                               path + "." + param.name + " is missing: expected " +
                                   expected(param) +
                                   (param.doc.empty() ? std::string() : " (" + param.doc + ")"));
        }
        out.entries.push_back({param.name, std::move(checked)});
    }
    return out;
}

Value ConfigCheck::value(const RawValue& raw, const Parameter& param, const std::string& path) {
    Value out;
    out.type = param.type;
    switch (param.type) {
        case ParameterType::none:
            break;
        case ParameterType::boolean:
            boolean(raw, param, path, out);
            break;
        case ParameterType::integer:
            integer(raw, param, path, out);
            break;
        case ParameterType::duration:
            duration(raw, param, path, out);
            break;
        case ParameterType::text:
        case ParameterType::choice:
        case ParameterType::url:
        case ParameterType::endpoint:
            text(raw, param, path, out);
            break;
        case ParameterType::path:
            this->path(raw, param, path, out);
            break;
        case ParameterType::secret:
            secret(raw, path, out);
            break;
        case ParameterType::certificate:
            certificate(raw, param, path, out);
            break;
        case ParameterType::command:
            command(raw, param, path, out);
            break;
        case ParameterType::list:
        case ParameterType::map:
            elements(raw, param, path, out);
            break;
        case ParameterType::object:
            if (is(RawValue::Kind::table, raw, param, path)) {
                out = object(raw, param.fields, path);
            }
            break;
    }
    return out;
}

void ConfigCheck::within(const RawValue& raw, const Parameter& param, const std::string& path,
                         std::int64_t number, std::string_view unit) {
    if (param.min == 0 && param.max == 0) return;
    if (number >= param.min && number <= param.max) return;
    const bool too_small = number < param.min;
    error(raw, path,
          "expected " + std::string(too_small ? "at least " : "at most ") +
              limit_text(param, too_small ? param.min : param.max) + std::string(unit) +
              ", found " + limit_text(param, number));
}

void ConfigCheck::boolean(const RawValue& raw, const Parameter& param, const std::string& path,
                          Value& out) {
    const RawValue typed = as_boolean(raw);
    if (is(RawValue::Kind::boolean, typed, param, path)) out.integer = typed.integer;
}

void ConfigCheck::integer(const RawValue& raw, const Parameter& param, const std::string& path,
                          Value& out) {
    const RawValue typed = as_integer(raw);
    if (!is(RawValue::Kind::integer, typed, param, path)) return;
    out.integer = typed.integer;
    within(raw, param, path, out.integer, "");
}

void ConfigCheck::duration(const RawValue& raw, const Parameter& param, const std::string& path,
                           Value& out) {
    const std::string hint = raw.kind == RawValue::Kind::integer
                                 ? "; write \"" + std::to_string(raw.integer) + "s\" for seconds"
                                 : "";
    if (!is(RawValue::Kind::text, raw, param, path, hint)) return;
    const Result<Duration> parsed = parse_duration(raw.text);
    if (!parsed) return error(raw, path, parsed.error().message);
    out.integer = parsed->count();
    within(raw, param, path, out.integer, "");
}

void ConfigCheck::text(const RawValue& raw, const Parameter& param, const std::string& path,
                       Value& out) {
    if (!is(RawValue::Kind::text, raw, param, path)) return;
    out.text = raw.text;
    if (param.type == ParameterType::choice) {
        if (std::count(param.choices.begin(), param.choices.end(), raw.text) == 0) {
            const std::string near = nearest(raw.text, param.choices);
            error(raw, path,
                  "expected " + expected(param) + ", found " + in_words(raw) +
                      (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
        }
    } else if (param.type == ParameterType::url) {
        if (const auto wrong = wrong_url(raw.text)) error(raw, path, *wrong);
    } else if (param.type == ParameterType::endpoint) {
        const Result<Endpoint> endpoint = parse_endpoint(raw.text);
        if (!endpoint) return error(raw, path, endpoint.error().message);
        out.text = endpoint->text();
    } else {
        within(raw, param, path, static_cast<std::int64_t>(raw.text.size()), " bytes");
        if (param.pattern.empty()) return;
        if (const auto wrong = wrong_match(raw.text, param.pattern)) error(raw, path, *wrong);
    }
}

void ConfigCheck::path(const RawValue& raw, const Parameter& param, const std::string& path,
                       Value& out) {
    if (!is(RawValue::Kind::text, raw, param, path)) return;
    if (raw.text.empty()) return error(raw, path, "expected a path, found an empty string");
    if (raw.text.starts_with("~")) {
        return error(
            raw, path,
            "found " + in_words(raw) + ": \"~\" stands for nobody here, write the path out");
    }
    out.text = absolute_path(context_.folder, raw.text);
    struct stat info {};
    if (param.has(CERTCAST_MUST_EXIST) && ::stat(out.text.c_str(), &info) != 0) {
        error(raw, path, in_quotes(out.text) + " must exist: " + std::strerror(errno));
    }
}

void ConfigCheck::secret(const RawValue& raw, const std::string& path, Value& out) {
    if (context_.secret) out.text = context_.secret(raw, path);
}

void ConfigCheck::certificate(const RawValue& raw, const Parameter& param, const std::string& path,
                              Value& out) {
    if (!is(RawValue::Kind::text, raw, param, path)) return;
    const auto& names = context_.certificates;
    const auto found = std::find(names.begin(), names.end(), raw.text);
    if (found == names.end()) {
        return error(
            raw, path,
            "the deployment has no certificate " + in_words(raw) + suggestion(raw.text, names));
    }
    out.text = raw.text;
    out.integer = found - names.begin();
}

void ConfigCheck::command(const RawValue& raw, const Parameter& param, const std::string& path,
                          Value& out) {
    const std::string_view hint =
        raw.kind == RawValue::Kind::text
            ? "; a command is not split at spaces: write its words as a list"
            : "";
    if (!is(RawValue::Kind::list, raw, param, path, hint)) return;
    if (raw.entries.empty()) error(raw, path, "expected a command, found an empty list");
    for (const RawEntry& word : raw.entries) {
        if (word.value.kind != RawValue::Kind::text) {
            error(word.value, path, "expected words, each a string, found " + in_words(word.value));
            continue;
        }
        if (word.value.text.empty()) error(word.value, path, "a word of the command is empty");
        Value checked;
        checked.type = ParameterType::text;
        checked.text = word.value.text;
        out.entries.push_back({{}, std::move(checked)});
    }
}

void ConfigCheck::elements(const RawValue& raw, const Parameter& param, const std::string& path,
                           Value& out) {
    const bool is_list = param.type == ParameterType::list;
    const std::string_view hint =
        is_list && raw.kind == RawValue::Kind::text ? "; write it in brackets: [\"...\"]" : "";
    if (!is(is_list ? RawValue::Kind::list : RawValue::Kind::table, raw, param, path, hint)) return;
    within(raw, param, path, static_cast<std::int64_t>(raw.entries.size()), " entries");
    const Parameter element = element_of(param);
    for (std::size_t i = 0; i < raw.entries.size(); ++i) {
        const RawEntry& entry = raw.entries[i];
        const std::string name =
            is_list ? path + "[" + std::to_string(i) + "]" : path + "." + entry.key;
        out.entries.push_back({entry.key, value(entry.value, element, name)});
    }
}

}  // namespace

Value check_config(const RawValue& table, std::span<const Parameter> params,
                   const std::string& path, const SchemaContext& context,
                   Diagnostics& diagnostics) {
    return ConfigCheck(context, diagnostics).object(table, params, path);
}

std::optional<std::string> wrong_default(const Parameter& param) {
    if (!param.default_value) return std::nullopt;
    switch (param.type) {
        case ParameterType::secret:
        case ParameterType::command:
        case ParameterType::list:
        case ParameterType::map:
        case ParameterType::object:
        case ParameterType::certificate:
        case ParameterType::none:
            return "a parameter of this type has no default";
        case ParameterType::boolean:
        case ParameterType::integer:
        case ParameterType::text:
        case ParameterType::duration:
        case ParameterType::path:
        case ParameterType::choice:
        case ParameterType::url:
        case ParameterType::endpoint:
            break;
    }
    Parameter plain = param;
    plain.flags &= ~std::uint64_t{CERTCAST_MUST_EXIST};
    RawValue raw;
    raw.kind = RawValue::Kind::text;
    raw.text = *param.default_value;
    raw.untyped = true;
    Diagnostics diagnostics;
    const SchemaContext context{.folder = "/"};
    ConfigCheck(context, diagnostics).value(raw, plain, "default");
    if (!diagnostics.has_errors()) return std::nullopt;
    return diagnostics.take().front().message;
}

}  // namespace certcast
