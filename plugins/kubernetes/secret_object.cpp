#include "plugins/kubernetes/secret_object.hpp"

#include "plugins/kubernetes/parts.hpp"

#include <vector>

namespace kubernetes {

namespace json = boost::json;

namespace {

const char* name_of(Table table) {
    switch (table) {
        case Table::data:
            return "data";
        case Table::labels:
            return "labels";
        case Table::annotations:
            break;
    }
    return "annotations";
}

std::vector<const json::object*> managers_of(const json::object& secret) {
    return parts_of(part_of(secret, "metadata"), "managedFields");
}

bool is_ours(const json::object& manager) {
    return text_in(manager, "manager") == field_manager;
}

std::string name_of(const json::object& manager) {
    return std::string(text_in(manager, "manager").value_or("somebody"));
}

/// Its keys in a table stand there behind "f:".
const json::object& fields_of(const json::object& manager, Table table) {
    const json::object& all = part_of(manager, "fieldsV1");
    const json::object& around = table == Table::data ? all : part_of(all, "f:metadata");
    return part_of(around, std::string("f:") + name_of(table));
}

std::vector<std::string_view> own_keys(const json::object& secret, Table table) {
    std::vector<std::string_view> keys;
    for (const json::object* const manager : managers_of(secret)) {
        if (!is_ours(*manager)) continue;
        for (const auto& field : fields_of(*manager, table)) {
            const std::string_view key = field.key();
            if (key.starts_with("f:")) keys.push_back(key.substr(2));
        }
    }
    return keys;
}

}  // namespace

const json::object& table_in(const json::object& secret, Table table) {
    return part_of(table == Table::data ? secret : part_of(secret, "metadata"), name_of(table));
}

json::object& table_of(json::object& secret, Table table) {
    const auto made = [](json::object& in, std::string_view key) -> json::object& {
        json::value& found = in[key];
        return found.is_object() ? found.get_object() : found.emplace_object();
    };
    return made(table == Table::data ? secret : made(secret, "metadata"), name_of(table));
}

json::object bare_secret(std::string_view name, std::string_view type) {
    return {
        {"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", name}}}, {"type", type}};
}

std::string version_of(const json::object& object) {
    return std::string(text_in(part_of(object, "metadata"), "resourceVersion").value_or(""));
}

json::object former_secret(const json::object& before, const json::object& wanted) {
    json::object former = bare_secret(text_in(part_of(wanted, "metadata"), "name").value_or(""),
                                      text_in(before, "type").value_or(""));
    for (const Table table : every_table) {
        const auto keep = [&](std::string_view key) {
            json::object& kept = table_of(former, table);
            const auto was = text_in(table_in(before, table), key);
            if (was) kept[key] = *was;
        };
        for (const auto& entry : table_in(wanted, table)) keep(entry.key());
        for (const std::string_view key : own_keys(before, table)) keep(key);
    }
    return former;
}

json::object merged_secret(const json::object& now, const json::object& wanted) {
    json::object merged = now;
    if (const auto type = text_in(wanted, "type")) merged["type"] = *type;
    for (const Table table : every_table) {
        for (const std::string_view key : own_keys(now, table)) {
            table_of(merged, table).erase(key);
        }
        for (const auto& entry : table_in(wanted, table)) {
            table_of(merged, table)[entry.key()] = entry.value();
        }
    }
    return merged;
}

std::optional<std::string> manager_in_the_way(const json::object& now, const json::object& wanted) {
    for (const Table table : every_table) {
        for (const auto& entry : table_in(wanted, table)) {
            const json::value* const there = table_in(now, table).if_contains(entry.key());
            if (there != nullptr && *there == entry.value()) continue;
            for (const json::object* const manager : managers_of(now)) {
                const std::string field = "f:" + std::string(entry.key());
                if (is_ours(*manager)) continue;
                if (fields_of(*manager, table).contains(field)) return name_of(*manager);
            }
        }
    }
    return std::nullopt;
}

std::optional<std::string> other_manager(const json::object& now) {
    for (const json::object* const manager : managers_of(now)) {
        if (!is_ours(*manager)) return name_of(*manager);
    }
    return std::nullopt;
}

}  // namespace kubernetes
