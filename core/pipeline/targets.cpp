#include "core/pipeline/targets.hpp"

#include "core/base/utf8.hpp"
#include "core/pipeline/table_reader.hpp"
#include "core/pipeline/text_file.hpp"
#include "core/plugin/text_rules.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace certcast {

namespace {

constexpr std::size_t longest_name = 255;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/// Gathers targets and refuses names that are none or come twice.
class TargetList {
public:
    explicit TargetList(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

    void add(Target target) {
        if (!is_target_name(target.name)) {
            diagnostics_.error(target.location,
                               in_quotes(target.name) +
                                   " is no name for a target: expected neither \"/\" nor a space");
        } else if (!names_.insert(target.name).second) {
            diagnostics_.error(target.location,
                               "target " + in_quotes(target.name) + " is listed twice");
        } else {
            targets_.push_back(std::move(target));
        }
    }

    std::vector<Target> take() { return std::move(targets_); }

private:
    Diagnostics& diagnostics_;
    std::set<std::string> names_;
    std::vector<Target> targets_;
};

void add_listed(const RawValue& element, const std::string& path, TargetList& list,
                Diagnostics& diagnostics) {
    if (element.kind == RawValue::Kind::text) {
        return list.add({element.text, RawValue{.location = element.location}, element.location});
    }
    const RawEntry* name = element.find_entry("name");
    if (name == nullptr || name->value.kind != RawValue::Kind::text) {
        diagnostics.error(name == nullptr ? element.location : name->value.location,
                          path +
                              ": expected a name or a table with a name, like "
                              "{ name = \"web1\" }, found " +
                              in_words(name == nullptr ? element : name->value));
        return;
    }
    Target target{name->value.text, element, name->value.location};
    auto& entries = target.values.entries;
    entries.erase(entries.begin() + (name - element.entries.data()));
    list.add(std::move(target));
}

/// The words of one line with their columns; a word that begins with # ends it.
std::vector<std::pair<std::string_view, std::uint32_t>> words_of(std::string_view line) {
    std::vector<std::pair<std::string_view, std::uint32_t>> words;
    for (std::size_t at = 0; at < line.size();) {
        if (is_blank(line[at])) {
            ++at;
            continue;
        }
        if (line[at] == '#') break;
        std::size_t end = at;
        while (end < line.size() && !is_blank(line[end])) ++end;
        words.emplace_back(line.substr(at, end - at), static_cast<std::uint32_t>(at + 1));
        at = end;
    }
    return words;
}

void add_field(std::string_view word, const Location& location, Target& target,
               Diagnostics& diagnostics) {
    const std::size_t equals = word.find('=');
    const std::string key(word.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(key)) {
        diagnostics.error(location, "expected key=value, found " + in_quotes(word));
    } else if (key == "name") {
        diagnostics.error(location, "the name of a target is the first word of its line");
    } else if (target.values.find(key) != nullptr) {
        diagnostics.error(location, in_quotes(key) + " is given twice");
    } else {
        RawValue value;
        value.kind = RawValue::Kind::text;
        value.text = word.substr(equals + 1);
        value.untyped = true;
        value.location = location;
        target.values.entries.push_back({key, location, std::move(value)});
    }
}

std::vector<Target> read_target_file(const RawValue& table, const std::string& path,
                                     const std::filesystem::path& folder,
                                     Diagnostics& diagnostics) {
    TableReader reader(table, path, diagnostics);
    const auto file = reader.text("file");
    reader.not_available({"inventory"});
    reader.finish();
    if (!file) {
        if (table.entries.empty()) {
            diagnostics.error(table.location,
                              path + ": expected { file = \"hosts.txt\" } or { discover = true }");
        }
        return {};
    }
    const std::string absolute = absolute_path(folder, *file);
    const Result<std::string> text = read_text_file(absolute);
    if (!text) {
        reader.error(table.find("file")->location, "file", text.error().text());
        return {};
    }
    return parse_target_lines(*text, absolute, diagnostics);
}

}  // namespace

bool is_target_name(const std::string& name) {
    return !name.empty() && name.size() <= longest_name && !has_control_character(name) &&
           name.find_first_of("/ ") == std::string::npos;
}

bool are_to_be_discovered(const RawValue& targets, const std::string& path,
                          Diagnostics& diagnostics) {
    const RawValue* const discover = targets.find("discover");
    if (discover == nullptr) return false;
    if (discover->kind != RawValue::Kind::boolean || discover->integer == 0 ||
        targets.entries.size() != 1) {
        diagnostics.error(targets.location,
                          path + ": expected { discover = true } and nothing beside it");
    }
    return true;
}

std::vector<Target> parse_target_lines(std::string_view text, const std::string& file,
                                       Diagnostics& diagnostics) {
    TargetList list(diagnostics);
    std::uint32_t line_number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const auto words = words_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        ++line_number;
        if (words.empty()) continue;
        const Location location{file, line_number, words[0].second};
        Target target{std::string(words[0].first), RawValue{.location = location}, location};
        if (target.name.find('=') != std::string::npos) {
            diagnostics.error(
                location, "expected the name of a target in front of " + in_quotes(target.name));
            continue;
        }
        for (std::size_t i = 1; i < words.size(); ++i) {
            add_field(words[i].first, {file, line_number, words[i].second}, target, diagnostics);
        }
        list.add(std::move(target));
    }
    return list.take();
}

std::vector<Target> read_targets(const RawValue& targets, const std::string& path,
                                 const std::filesystem::path& folder, Diagnostics& diagnostics) {
    const std::size_t errors_before = diagnostics.error_count();
    std::vector<Target> found;
    if (targets.kind == RawValue::Kind::table) {
        found = read_target_file(targets, path, folder, diagnostics);
    } else if (targets.kind == RawValue::Kind::list) {
        TargetList list(diagnostics);
        for (const RawEntry& element : targets.entries) {
            add_listed(element.value, path, list, diagnostics);
        }
        found = list.take();
    } else {
        diagnostics.error(targets.location, path +
                                                ": expected a list of targets, { file = "
                                                "\"hosts.txt\" } or { discover = true }, found " +
                                                in_words(targets));
    }
    if (found.empty() && diagnostics.error_count() == errors_before) {
        diagnostics.error(targets.location, path + ": there is no target in it, expected some");
    }
    return found;
}

Value value_of(const RawValue& raw) {
    Value value;
    switch (raw.kind) {
        case RawValue::Kind::boolean:
            value.type = ParameterType::boolean;
            break;
        case RawValue::Kind::integer:
            value.type = ParameterType::integer;
            break;
        case RawValue::Kind::text:
        case RawValue::Kind::number:
        case RawValue::Kind::date:
            value.type = ParameterType::text;
            break;
        case RawValue::Kind::list:
            value.type = ParameterType::list;
            break;
        case RawValue::Kind::table:
            value.type = ParameterType::map;
            break;
    }
    value.integer = raw.integer;
    value.text = raw.text;
    for (const RawEntry& entry : raw.entries) {
        value.entries.push_back({entry.key, value_of(entry.value)});
    }
    return value;
}

}  // namespace certcast
