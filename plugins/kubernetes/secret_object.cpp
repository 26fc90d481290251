#include "plugins/kubernetes/secret_object.hpp"

#include "plugins/json/parts.hpp"

#include <utility>
#include <vector>

namespace kubernetes {

namespace json = boost::json;
using json_parts::part_of;
using json_parts::parts_of;
using json_parts::text_in;

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

/// Who else has written this key, as well or instead.
std::optional<std::string> other_writer(const json::object& secret, Table table,
                                        std::string_view key) {
    const std::string field = "f:" + std::string(key);
    for (const json::object* const manager : managers_of(secret)) {
        if (!is_ours(*manager) && fields_of(*manager, table).contains(field)) {
            return name_of(*manager);
        }
    }
    return std::nullopt;
}

enum class Written { anyhow, by_applying };

std::vector<std::string_view> own_keys(const json::object& secret, Table table, Written how) {
    std::vector<std::string_view> keys;
    for (const json::object* const manager : managers_of(secret)) {
        if (!is_ours(*manager)) continue;
        const bool is_applied = text_in(*manager, "operation") == "Apply";
        if (how == Written::by_applying && !is_applied) continue;
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

json::object only_over(const json::object& now, json::object secret) {
    json::object& metadata = secret["metadata"].as_object();
    for (const char* key : {"uid", "resourceVersion"}) {
        if (const auto text = text_in(part_of(now, "metadata"), key)) metadata[key] = *text;
    }
    return secret;
}

json::object former_secret(const json::object& before, const json::object& wanted) {
    json::object former = bare_secret(text_in(part_of(wanted, "metadata"), "name").value_or(""),
                                      text_in(before, "type").value_or(""));
    for (const Table table : every_table) {
        const auto keep = [&](std::string_view key) {
            const auto was = text_in(table_in(before, table), key);
            table_of(former, table)[key] = was ? json::value(*was) : json::value();
        };
        for (const auto& entry : table_in(wanted, table)) keep(entry.key());
        for (const std::string_view key : own_keys(before, table, Written::anyhow)) keep(key);
    }
    return former;
}

json::object applied_secret(json::object wanted) {
    for (const Table table : every_table) {
        json::object kept;
        for (const auto& entry : table_in(wanted, table)) {
            if (!entry.value().is_null()) kept[entry.key()] = entry.value();
        }
        if (!table_in(wanted, table).empty()) table_of(wanted, table) = std::move(kept);
    }
    return wanted;
}

json::object merged_secret(const json::object& now, const json::object& wanted) {
    json::object merged = now;
    if (const auto type = text_in(wanted, "type")) merged["type"] = *type;
    for (const Table table : every_table) {
        json::object& entries = table_of(merged, table);
        const auto drop = [&](std::string_view key) {
            if (!other_writer(now, table, key)) entries.erase(key);
        };
        for (const std::string_view key : own_keys(now, table, Written::anyhow)) {
            if (!table_in(wanted, table).contains(key)) drop(key);
        }
        for (const auto& entry : table_in(wanted, table)) {
            if (entry.value().is_null()) {
                drop(entry.key());
            } else {
                entries[entry.key()] = entry.value();
            }
        }
    }
    return merged;
}

std::pair<json::object, std::string> without_others(json::object former, const json::object& now) {
    std::string others;
    for (const Table table : every_table) {
        json::object left;
        for (const auto& entry : table_in(former, table)) {
            const json::value* const there = table_in(now, table).if_contains(entry.key());
            const bool is_changed = there != nullptr && *there != entry.value();
            const auto other = other_writer(now, table, entry.key());
            if (is_changed && other) {
                others = *other;
            } else {
                left[entry.key()] = entry.value();
            }
        }
        if (!table_in(former, table).empty()) table_of(former, table) = std::move(left);
    }
    return {std::move(former), others};
}

bool is_met(const json::object& wanted, const json::object& now, const SameEntry& is_same_entry) {
    if (text_in(now, "type") != text_in(wanted, "type")) return false;
    for (const Table table : every_table) {
        const json::object& found = table_in(now, table);
        for (const auto& entry : table_in(wanted, table)) {
            const auto there = text_in(found, entry.key());
            const std::string_view text = entry.value().as_string();
            if (!there) return false;
            if (table == Table::data ? !is_same_entry(*there, text) : *there != text) return false;
        }
        for (const std::string_view key : own_keys(now, table, Written::by_applying)) {
            if (found.contains(key) && !table_in(wanted, table).contains(key)) return false;
        }
    }
    return true;
}

std::optional<std::string> manager_in_the_way(const json::object& now, const json::object& wanted) {
    if (text_in(now, "type") != text_in(wanted, "type")) {
        for (const json::object* const manager : managers_of(now)) {
            const bool has_type = part_of(*manager, "fieldsV1").contains("f:type");
            if (has_type && !is_ours(*manager)) return name_of(*manager);
        }
    }
    for (const Table table : every_table) {
        for (const auto& entry : table_in(wanted, table)) {
            const json::value* const there = table_in(now, table).if_contains(entry.key());
            if (there != nullptr && *there == entry.value()) continue;
            if (auto other = other_writer(now, table, entry.key())) return other;
        }
    }
    return std::nullopt;
}

std::optional<std::string> other_manager(const json::object& now, const json::object& own) {
    for (const json::object* const manager : managers_of(now)) {
        if (!is_ours(*manager)) return name_of(*manager);
    }
    if (!managers_of(now).empty()) return std::nullopt;
    for (const Table table : every_table) {
        for (const auto& entry : table_in(now, table)) {
            if (!table_in(own, table).contains(entry.key())) return "somebody";
        }
    }
    return std::nullopt;
}

}  // namespace kubernetes
