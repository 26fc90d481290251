#include "core/pipeline/secret_reading.hpp"

#include "core/base/nearest.hpp"
#include "core/pipeline/table_reader.hpp"
#include "core/plugin/text_rules.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace certcast {

namespace {

constexpr const char* expected_source =
    "expected one of { secret = NAME }, { env = \"..\" }, { file = \"..\" }, { command = [..] } "
    "and "
    "{ credential = \"..\" }";

/// What makes two sources the same: unambiguous, since no text holds a NUL.
std::string canonical(const SecretSource& source) {
    std::string text = std::to_string(static_cast<int>(source.kind)) + '\0' + source.value + '\0' +
                       source.field + '\0' + to_string(source.timeout);
    for (const std::string& word : source.command) text += '\0' + word;
    return text;
}

}  // namespace

void SecretReading::add_named(const RawEntry& entry, const std::string& path) {
    check_name(entry, "secret", diagnostics_);
    // A broken source still counts as known, so that its uses are not reported too.
    named_.push_back(entry.key);
    if (entry.value.kind != RawValue::Kind::table) {
        diagnostics_.error(entry.value.location,
                           path +
                               ": a secret is never written in the file; expected a table with "
                               "env, file, command or credential");
        return;
    }
    sources_[entry.key] = source(entry.value, path).value_or(SecretSource{});
}

std::optional<SecretSource> SecretReading::source(const RawValue& table, const std::string& path) {
    TableReader reader(table, path, diagnostics_);
    const std::size_t errors_before = diagnostics_.error_count();
    SecretSource found;
    found.location = table.location;
    int kinds = 0;
    const auto take = [&](std::string_view key, SecretSource::Kind kind) {
        if (const auto text = reader.text(key)) {
            found.kind = kind;
            found.value = *text;
        }
        if (table.find(key) != nullptr) ++kinds;
    };
    take("env", SecretSource::Kind::environment);
    take("file", SecretSource::Kind::file);
    take("credential", SecretSource::Kind::credential);
    found.command = reader.texts("command");
    if (const RawValue* command = table.find("command")) {
        found.kind = SecretSource::Kind::command;
        if (command->kind == RawValue::Kind::list && command->entries.empty()) {
            reader.error(command->location, "command", "expected a command, found an empty list");
        }
        ++kinds;
    }
    found.field = reader.text("field").value_or("");
    if (const auto timeout = reader.duration("timeout")) {
        if (timeout->count() == 0) {
            reader.error(table.find("timeout")->location, "timeout", "expected more than nothing");
        }
        found.timeout = *timeout;
    }
    reader.finish();
    if (kinds != 1) {
        diagnostics_.error(table.location,
                           path + ": expected exactly one of env, file, command and credential" +
                               (kinds == 0 ? "" : ", found " + std::to_string(kinds)));
    } else if (found.kind == SecretSource::Kind::environment &&
               found.value.find('=') != std::string::npos) {
        reader.error(table.find("env")->location, "env",
                     "expected the name of an environment variable, which holds no \"=\"");
    } else if (found.kind == SecretSource::Kind::credential &&
               found.value.find('/') != std::string::npos) {
        reader.error(table.find("credential")->location, "credential",
                     "expected the name of a systemd credential, found a path");
    } else if (found.kind == SecretSource::Kind::file) {
        found.value = absolute_path(folder_, found.value);
    }
    if (diagnostics_.error_count() != errors_before) return std::nullopt;
    return found;
}

std::string SecretReading::reference(const RawValue& value, const std::string& path,
                                     const std::string& key) {
    // What stands in the wrong place may well be the secret itself: it is never shown.
    if (value.kind != RawValue::Kind::table) {
        diagnostics_.error(value.location,
                           path + ": a secret is never written in the file; " + expected_source);
        return {};
    }
    if (value.find("secret") != nullptr) {
        TableReader reader(value, path, diagnostics_);
        const auto name = reader.text("secret");
        reader.finish();
        if (!name || std::count(named_.begin(), named_.end(), *name) != 0) {
            return name.value_or("");
        }
        diagnostics_.error(value.find("secret")->location, path + ": there is no [secret." + *name +
                                                               "]" + suggestion(*name, named_));
        return {};
    }
    std::optional<SecretSource> found = source(value, path);
    if (!found) return {};
    const auto [known, is_new] = inline_keys_.try_emplace(canonical(*found), key);
    if (!is_new) return known->second;
    // Somebody may have named a secret just like this; no name holds a "#".
    if (sources_.contains(key)) known->second += "#";
    sources_[known->second] = std::move(*found);
    return known->second;
}

}  // namespace certcast
