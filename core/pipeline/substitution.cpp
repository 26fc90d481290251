#include "core/pipeline/substitution.hpp"

#include "core/base/nearest.hpp"

#include <utility>
#include <vector>

namespace certcast {

namespace {

constexpr std::size_t longest_result = 256 * 1024;
constexpr std::size_t most_copied = 16 * 1024 * 1024;
constexpr int deepest = 32;

RawValue text_at(std::string text, const RawValue& at) {
    RawValue value;
    value.kind = RawValue::Kind::text;
    value.text = std::move(text);
    value.location = at.location;
    return value;
}

/// The offset of the brace that closes the reference whose inside begins at 0.
std::size_t closing_brace(std::string_view text) {
    int open = 1;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 2) == "$$") {
            ++i;
        } else if (text.substr(i, 2) == "${") {
            ++open;
            ++i;
        } else if (text[i] == '}' && --open == 0) {
            return i;
        }
    }
    return std::string_view::npos;
}

bool is_empty_text(const RawValue& value) {
    return value.kind == RawValue::Kind::text && value.text.empty();
}

}  // namespace

void Substitution::add_vars(const RawValue& table) {
    for (const RawEntry& entry : table.entries)
        vars_[entry.key] = Variable{.written = &entry.value};
}

RawValue Substitution::apply(const RawValue& value) {
    if (value.kind == RawValue::Kind::text) {
        if (value.text.find('$') == std::string::npos) return value;
        RawValue replaced = text(value.text, value);
        replaced.untyped = replaced.untyped || value.untyped;
        return replaced;
    }
    RawValue out = value;
    for (RawEntry& entry : out.entries) entry.value = apply(entry.value);
    return out;
}

RawValue Substitution::text(std::string_view text, const RawValue& at) {
    if (text.starts_with("${") && closing_brace(text.substr(2)) == text.size() - 3) {
        return reference(text.substr(2, text.size() - 3), at);
    }
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i, 2) == "$$") {
            out += '$';
            ++i;
            continue;
        }
        if (text.substr(i, 2) != "${") {
            out += text[i];
            continue;
        }
        const std::size_t length = closing_brace(text.substr(i + 2));
        if (length == std::string_view::npos) {
            diagnostics_.error(at.location, in_quotes(text) +
                                                ": a \"${\" has no closing \"}\"; write \"$$\" "
                                                "where a dollar sign is meant");
            return text_at({}, at);
        }
        const RawValue value = reference(text.substr(i + 2, length), at);
        i += length + 2;
        switch (value.kind) {
            case RawValue::Kind::text:
            case RawValue::Kind::number:
            case RawValue::Kind::date:
                out += value.text;
                break;
            case RawValue::Kind::integer:
            case RawValue::Kind::boolean:
                out += in_words(value);
                break;
            case RawValue::Kind::list:
            case RawValue::Kind::table:
                diagnostics_.error(at.location, in_quotes(text) + ": " + in_words(value) +
                                                    " cannot stand inside a string");
                break;
        }
        if (out.size() > longest_result) {
            diagnostics_.error(at.location, in_quotes(text) + " becomes longer than 256 KiB");
            return text_at({}, at);
        }
    }
    return text_at(std::move(out), at);
}

RawValue Substitution::reference(std::string_view inside, const RawValue& at) {
    if (depth_ == deepest) {
        diagnostics_.error(at.location, "references are nested deeper than 32 levels");
        return text_at({}, at);
    }
    ++depth_;
    const std::size_t separator = inside.find(":-");
    const std::string_view name = inside.substr(0, separator);
    const bool has_default = separator != std::string_view::npos;
    const std::size_t errors_before = diagnostics_.error_count();
    const bool can_be_defined = name.starts_with("target.") || name.starts_with("vars.");
    std::optional<RawValue> value = lookup(name, at);
    if (has_default && can_be_defined && (!value || is_empty_text(*value))) {
        value = text(inside.substr(separator + 2), at);
        // A default is spelled as text whatever it stands for.
        value->untyped = true;
    } else if (!value && diagnostics_.error_count() == errors_before) {
        report_undefined(name, at);
    }
    --depth_;
    if (value && (copied_ += size_of(*value)) > most_copied) {
        diagnostics_.error(at.location, "what is referred to becomes larger than 16 MiB");
        value.reset();
    }
    if (!value) return text_at({}, at);
    value->location = at.location;
    return *value;
}

std::optional<RawValue> Substitution::lookup(std::string_view name, const RawValue& at) {
    if (name.starts_with("target.") && target_ != nullptr) {
        const std::string_view key = name.substr(7);
        if (key == "name") return text_at(target_->name, at);
        const RawValue* found = target_->values.find(key);
        return found == nullptr ? std::nullopt : std::optional(*found);
    }
    if (!name.starts_with("vars.")) return std::nullopt;
    const auto found = vars_.find(name.substr(5));
    if (found == vars_.end()) return std::nullopt;
    Variable& variable = found->second;
    if (!variable.value) {
        if (variable.being_read) {
            diagnostics_.error(variable.written->location,
                               "vars." + found->first + " refers to itself");
            return std::nullopt;
        }
        variable.being_read = true;
        variable.value = apply(*variable.written);
        variable.being_read = false;
    }
    return variable.value;
}

void Substitution::report_undefined(std::string_view name, const RawValue& at) {
    const std::string shown = "${" + std::string(name.substr(0, 80)) + "}";
    if (name.starts_with("target.") && target_ == nullptr) {
        return diagnostics_.error(at.location, shown + ": there is no target here");
    }
    std::vector<std::string> known;
    for (const auto& [key, variable] : vars_) known.push_back("vars." + key);
    if (target_ != nullptr) {
        known.emplace_back("target.name");
        for (const RawEntry& entry : target_->values.entries)
            known.push_back("target." + entry.key);
    }
    if (name.starts_with("target.")) {
        return diagnostics_.error(at.location, shown + ": target " + in_quotes(target_->name) +
                                                   " has no " + in_quotes(name.substr(7)) +
                                                   suggestion(name, known));
    }
    if (name.starts_with("vars.")) {
        return diagnostics_.error(at.location, shown + " is not defined" + suggestion(name, known));
    }
    diagnostics_.error(at.location, shown +
                                        " is not defined: expected target.name, target.KEY or "
                                        "vars.KEY; write \"$$\" where a dollar sign is meant");
}

}  // namespace certcast
