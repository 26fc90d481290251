#include "core/report/explanation.hpp"

#include "core/base/byte_size.hpp"
#include "core/report/table.hpp"

#include <boost/json/object.hpp>

#include <algorithm>
#include <initializer_list>

namespace certcast {

namespace {

constexpr const char* of_certcast = "certcast's default";
constexpr const char* of_plugin = "the plugin's default";

std::string list_of(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& one : texts) list += (list.empty() ? "" : ", ") + in_quotes(one);
    return "[" + list + "]";
}

bool holds_objects(const Value& value) {
    return std::any_of(value.entries.begin(), value.entries.end(), [](const ValueEntry& entry) {
        return entry.value.type == ParameterType::object;
    });
}

std::string limit(std::uint64_t number) {
    return number == 0 ? "none" : std::to_string(number);
}
std::string byte_limit(std::uint64_t bytes) {
    return bytes == 0 ? "none" : to_byte_size(bytes);
}

std::string text_of(const Value& value) {
    switch (value.type) {
        case ParameterType::boolean:
            return value.integer != 0 ? "true" : "false";
        case ParameterType::integer:
            return std::to_string(value.integer);
        case ParameterType::duration:
            return to_string(Duration(value.integer));
        case ParameterType::secret:
            return "secret " + value.text;
        case ParameterType::list:
        case ParameterType::command:
            return list_of(value.texts());
        case ParameterType::none:
        case ParameterType::text:
        case ParameterType::path:
        case ParameterType::choice:
        case ParameterType::url:
        case ParameterType::endpoint:
        case ParameterType::map:
        case ParameterType::object:
        case ParameterType::certificate:
            break;
    }
    return value.text;
}

/// What stands under "timeouts.deploy"; nullptr: nothing does.
const RawValue* find_path(const RawValue& table, const std::string& path) {
    const RawValue* found = &table;
    for (std::size_t begin = 0; found != nullptr && begin <= path.size();) {
        const std::size_t end = std::min(path.find('.', begin), path.size());
        found = found->find(path.substr(begin, end - begin));
        begin = end + 1;
    }
    return found;
}

class Explanation {
public:
    Explanation(const Pipeline& pipeline, const Deployment& deployment,
                const WrittenDeployment& written)
        : pipeline_(pipeline), deployment_(deployment), written_(written) {}

    std::vector<Setting> all() {
        what();
        times();
        limits();
        waves();
        config(deployment_.config, written_.entry.find("config"), parameters(), "config");
        probes();
        derived();
        return std::move(all_);
    }

private:
    using Paths = std::initializer_list<std::string>;

    /// The first of these that stands in the entry, then in the defaults.
    std::string origin(Paths paths, const std::string& otherwise) const {
        for (const RawValue* table : {&written_.entry, &written_.defaults}) {
            for (const std::string& path : paths) {
                if (const RawValue* found = find_path(*table, path)) return found->location.text();
            }
        }
        return otherwise;
    }
    std::string here(const std::string& key, const std::string& otherwise) const {
        const RawEntry* entry = written_.entry.find_entry(key);
        return entry == nullptr ? otherwise : entry->key_location.text();
    }
    void add(std::string key, std::string value, std::string origin) {
        all_.push_back({std::move(key), std::move(value), std::move(origin)});
    }

    void what() {
        add("plugin", deployment_.plugin, here("plugin", ""));
        if (deployment_.library != nullptr) {
            add("plugin.library", deployment_.library->path.string(), "the plugin folders");
            add("plugin.version", deployment_.descriptor->version, "the plugin");
        }
        if (!deployment_.target.empty()) {
            add("target", deployment_.target, here("targets", ""));
            for (const auto& [key, value] : deployment_.target_values.entries) {
                add("target." + key, text_of(value), here("targets", ""));
            }
        }
        for (const std::string& name : deployment_.certificates) {
            const auto source = pipeline_.certificates.find(name);
            if (source == pipeline_.certificates.end()) continue;
            const auto& file =
                source->second.source.empty() ? source->second.certificate : source->second.source;
            add("certificate", name + " from " + file.string(), source->second.location.text());
        }
        const auto list = [&](const char* key, const std::vector<std::string>& texts) {
            if (!texts.empty()) add(key, list_of(texts), here(key, ""));
        };
        list("needs", deployment_.needs);
        for (const Quorum& quorum : deployment_.quorums) {
            add("needs", quorum.at_least.text() + " of " + quorum.entry, here("needs", ""));
        }
        list("tags", deployment_.tags);
        list("lock", deployment_.locks);
        for (const auto& [name, guard] : guard_names) {
            const std::string key = "guards." + std::string(name);
            add(key, deployment_.guards.*guard ? "on" : "off", origin({key}, of_certcast));
        }
        if (deployment_.disabled) {
            add("disabled",
                deployment_.disabled_reason.empty() ? "true" : deployment_.disabled_reason,
                here("disabled", ""));
        }
    }

    void times() {
        const Descriptor* descriptor = deployment_.descriptor;
        for (std::size_t i = 0; i < stage_count; ++i) {
            const Stage stage = static_cast<Stage>(i);
            if (stage == Stage::discover) continue;
            const std::string key = "timeouts." + std::string(name_of(stage));
            const bool is_plugins =
                descriptor != nullptr && descriptor->stage_timeouts[i].count() > 0;
            const std::string otherwise = is_plugins ? of_plugin : of_certcast;
            add(key, to_string(deployment_.timeouts[i]),
                stage == Stage::deploy ? origin({key, "timeout"}, otherwise)
                                       : origin({key}, otherwise));
        }
        const bool has_grace = descriptor != nullptr && descriptor->grace.count() > 0;
        add("grace", to_string(deployment_.grace),
            origin({"grace"}, has_grace ? of_plugin : of_certcast));
        const RetryPolicy& retry = deployment_.retry;
        const auto of_retry = [&](const std::string& key, std::string value) {
            add("retry." + key, std::move(value), origin({"retry." + key}, of_certcast));
        };
        of_retry("attempts", std::to_string(retry.attempts));
        of_retry("backoff", to_string(retry.backoff));
        of_retry("max_backoff", to_string(retry.max_backoff));
        of_retry("budget", retry.budget.count() == 0 ? "none" : to_string(retry.budget));
    }

    void limits() {
        const Limits& limits = deployment_.limits;
        const auto one = [&](const std::string& key, std::string value) {
            add("limits." + key, std::move(value), origin({"limits." + key}, of_certcast));
        };
        one("memory", byte_limit(limits.memory));
        one("cpu", limits.cpu.count() == 0 ? "none" : to_string(limits.cpu));
        one("files", limit(limits.files));
        one("processes", limit(limits.processes));
        one("output", byte_limit(limits.output));
        one("file_size", byte_limit(limits.file_size));
        add("sandbox", std::string(name_of(deployment_.sandbox)),
            origin({"plugin." + deployment_.plugin + ".sandbox", "sandbox"}, of_certcast));
        const auto at_once = pipeline_.plugin_limits.find(deployment_.plugin);
        const std::string key = "plugin." + deployment_.plugin + ".max_parallel";
        if (at_once != pipeline_.plugin_limits.end()) {
            add(key, std::to_string(at_once->second), origin({key}, ""));
        }
        add("max_parallel", std::to_string(pipeline_.max_parallel),
            origin({"max_parallel"}, of_certcast));
    }

    void waves() {
        if (!deployment_.waves) return;
        const Waves& waves = *deployment_.waves;
        std::vector<std::string> sizes;
        for (const Share& size : waves.sizes) sizes.push_back(size.text());
        if (sizes.empty() || sizes.back() != "100%") sizes.emplace_back("100%");
        add("waves", list_of(sizes), here("waves", of_certcast));
        add("pause", to_string(waves.pause), here("pause", of_certcast));
        add("max_failures", waves.max_failures.text(), here("max_failures", of_certcast));
        add("on_abort", waves.puts_back ? "rollback" : "stop", here("on_abort", of_certcast));
    }

    const std::vector<Parameter>* parameters() const {
        return deployment_.descriptor == nullptr ? nullptr : &deployment_.descriptor->params;
    }

    /// `written`: what was written there; nullptr: nothing. `params`: of an object.
    void config(const Value& value, const RawValue* written, const std::vector<Parameter>* params,
                const std::string& path) {
        if (value.type == ParameterType::none) return;
        if (value.type == ParameterType::object) {
            for (std::size_t i = 0; i < value.entries.size(); ++i) {
                const auto& [key, inner] = value.entries[i];
                const Parameter* param =
                    params != nullptr && i < params->size() ? &(*params)[i] : nullptr;
                config(inner, written_as(written, key, param), param ? &param->fields : nullptr,
                       path + "." + key);
            }
        } else if (value.type == ParameterType::map) {
            for (const auto& [key, inner] : value.entries) {
                config(inner, written ? written->find(key) : nullptr, params, path + "." + key);
            }
        } else if (value.type == ParameterType::list && holds_objects(value)) {
            for (std::size_t i = 0; i < value.entries.size(); ++i) {
                const bool is_written = written != nullptr && i < written->entries.size();
                config(value.entries[i].value, is_written ? &written->entries[i].value : nullptr,
                       params, path + "[" + std::to_string(i) + "]");
            }
        } else {
            add(path, text_of(value), written == nullptr ? of_plugin : written->location.text());
        }
    }

    static const RawValue* written_as(const RawValue* table, const std::string& key,
                                      const Parameter* param) {
        if (table == nullptr) return nullptr;
        if (const RawValue* found = table->find(key)) return found;
        if (param == nullptr) return nullptr;
        for (const std::string& alias : param->aliases) {
            if (const RawValue* found = table->find(alias)) return found;
        }
        return nullptr;
    }

    void probes() {
        for (std::size_t i = 0; i < deployment_.probes.size(); ++i) {
            const ProbeCheck& check = deployment_.probes[i];
            std::string text = check.protocol + " to " + check.address;
            if (!check.server_name.empty()) text += " as " + check.server_name;
            text += " serves " + deployment_.certificates[check.certificate];
            if (check.ocsp_staple) text += " with an OCSP response";
            text += ", within " + to_string(check.timeout);
            if (check.consecutive > 1) {
                text += ", " + std::to_string(check.consecutive) + " times in a row";
            }
            add("probe[" + std::to_string(i) + "]", std::move(text), check.location.text());
        }
    }

    void derived() {
        for (const std::string& one : deployment_.identities) {
            add("deploys to", one, "the plugin's identity parameters");
        }
        for (const std::string& one : deployment_.exclusives) {
            add("never overlaps at", one, "the plugin's exclusive parameters");
        }
        if (!deployment_.account.empty()) {
            add("account", deployment_.account, "the plugin's account parameters");
        }
    }

    const Pipeline& pipeline_;
    const Deployment& deployment_;
    const WrittenDeployment& written_;
    std::vector<Setting> all_;
};

}  // namespace

std::vector<Setting> explain(const Pipeline& pipeline, const Deployment& deployment,
                             const WrittenDeployment& written) {
    return Explanation(pipeline, deployment, written).all();
}

std::string in_a_table(const std::vector<Setting>& all, const TextFilter& filter) {
    std::vector<Row> rows{{"KEY", "VALUE", "SAID BY"}};
    for (const Setting& one : all) {
        rows.push_back({filter.line(one.key), filter.line(one.value), filter.line(one.origin)});
    }
    return table(rows);
}

boost::json::array to_json(const std::vector<Setting>& all, const TextFilter& filter) {
    boost::json::array array;
    for (const Setting& one : all) {
        array.push_back(boost::json::object{{"key", filter.data(one.key)},
                                            {"value", filter.data(one.value)},
                                            {"said_by", filter.data(one.origin)}});
    }
    return array;
}

}  // namespace certcast
