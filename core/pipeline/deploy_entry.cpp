#include "core/pipeline/deploy_entry.hpp"

#include "core/base/nearest.hpp"
#include "core/pipeline/limit_reading.hpp"
#include "core/pipeline/probes.hpp"
#include "core/pipeline/table_reader.hpp"
#include "core/pipeline/targets.hpp"
#include "core/pipeline/wave_reading.hpp"
#include "core/plugin/identity.hpp"
#include "core/plugin/schema.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace certcast {

namespace {

/// Everything in an entry counts once for each of its targets.
constexpr std::size_t most_expanded = std::size_t{512} * 1024 * 1024;

/// Today's date in UTC, spelled as in TOML, so that dates compare as texts.
std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[16];
    std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    return text;
}

/// The library and descriptor of an entry's plugin; nullptr where there is none to be found.
struct FoundDeployer {
    std::string id;
    const Library* library = nullptr;
    const Descriptor* descriptor = nullptr;
    std::string unusable = {};
};

/// Reads one entry for one of its targets.
class DeploymentReader {
public:
    DeploymentReader(const RawEntry& entry, const RawValue& table, const FoundDeployer& deployer,
                     const Target* target, const DeployContext& context)
        : entry_(entry),
          table_(table),
          path_("deploy." + entry.key),
          deployer_(deployer),
          context_(context),
          diagnostics_(context.diagnostics),
          reader_(table, path_, context.diagnostics) {
        deployment_.entry = entry.key;
        deployment_.name = entry.key;
        if (target != nullptr) {
            deployment_.target = target->name;
            deployment_.target_values = value_of(target->values);
            deployment_.name += "/" + target->name;
        }
        deployment_.plugin = deployer.id;
        deployment_.library = deployer.library;
        deployment_.descriptor = deployer.descriptor;
        deployment_.unusable = deployer.unusable;
        deployment_.location = entry.key_location;
    }

    Deployment read(std::size_t index, std::vector<WrittenNeed>& needs) {
        // Read where the entry is expanded; asked for here so that they are no unknown keys.
        for (const char* key : {"plugin", "targets", "vars"}) reader_.find(key);
        reader_.not_available({"use", "account", "window", "notify"});
        const auto waves = read_waves(reader_, !deployment_.target.empty(), deployer_.descriptor);
        if (waves) deployment_.waves = std::make_shared<const Waves>(*waves);
        certificates();
        const Timing timing = read_timing(reader_, diagnostics_);
        apply_timing(context_.defaults, timing, deployer_.descriptor, deployment_);
        deployment_.limits = read_limits(reader_, diagnostics_).over(context_.limits);
        deployment_.sandbox = context_.sandboxes.of(deployer_.id);
        deployment_.tags = reader_.texts("tags");
        locks();
        guards();
        this->needs(index, needs);
        disabled();
        probe();
        config();
        reader_.finish();
        return std::move(deployment_);
    }

private:
    void certificates() {
        const RawValue* one = reader_.find("certificate");
        const RawValue* several = reader_.find("certificates");
        if (one != nullptr && several != nullptr) {
            return reader_.error(several->location, "certificates",
                                 "is given beside certificate: give one of them");
        }
        if (one == nullptr && several == nullptr) {
            return diagnostics_.error(entry_.key_location,
                                      path_ +
                                          ".certificate is missing: expected the name of a "
                                          "[certificate.NAME]" +
                                          listed());
        }
        if (one != nullptr) return certificate(*one, "certificate");
        if (several->kind != RawValue::Kind::list || several->entries.empty()) {
            return reader_.error(
                several->location, "certificates",
                "expected a list of names, found " +
                    (several->kind == RawValue::Kind::list ? "an empty one" : in_words(*several)));
        }
        for (const RawEntry& element : several->entries) certificate(element.value, "certificates");
        const Descriptor* descriptor = deployer_.descriptor;
        if (descriptor != nullptr && descriptor->max_certificates != 0 &&
            several->entries.size() > descriptor->max_certificates) {
            reader_.error(several->location, "certificates",
                          "plugin " + descriptor->id + " takes at most " +
                              std::to_string(descriptor->max_certificates) + ", found " +
                              std::to_string(several->entries.size()));
        }
    }

    std::string listed() const {
        std::string text;
        for (const std::string& name : context_.certificates) {
            text += (text.empty() ? ": " : ", ") + name;
        }
        return text;
    }

    void certificate(const RawValue& value, std::string_view key) {
        auto& names = deployment_.certificates;
        if (value.kind == RawValue::Kind::table) {
            reader_.error(value.location, key,
                          not_available_text("choosing by covers and key_type") +
                              "; expected the name of a certificate");
        } else if (value.kind != RawValue::Kind::text) {
            reader_.error(value.location, key,
                          "expected the name of a certificate, found " + in_words(value));
        } else if (std::count(context_.certificates.begin(), context_.certificates.end(),
                              value.text) == 0) {
            reader_.error(value.location, key,
                          "there is no [certificate." + value.text + "]" +
                              suggestion(value.text, context_.certificates));
        } else if (std::count(names.begin(), names.end(), value.text) != 0) {
            reader_.error(value.location, key, in_quotes(value.text) + " is listed twice");
        } else {
            names.push_back(value.text);
        }
    }

    void needs(std::size_t index, std::vector<WrittenNeed>& needs) {
        const RawValue* list = reader_.find("needs");
        if (list == nullptr) return;
        if (list->kind != RawValue::Kind::list) {
            return reader_.error(list->location, "needs",
                                 "expected a list of names, found " + in_words(*list));
        }
        for (const RawEntry& element : list->entries) {
            const RawValue& value = element.value;
            if (value.kind == RawValue::Kind::text) {
                needs.push_back({index, value.text, value.location});
            } else if (value.kind == RawValue::Kind::table) {
                quorum(index, value, needs);
            } else {
                reader_.error(value.location, "needs",
                              "expected names, or tables like { deploy = \"NAME\", at_least = "
                              "\"95%\" }, found " +
                                  in_words(value));
            }
        }
    }

    void quorum(std::size_t index, const RawValue& written, std::vector<WrittenNeed>& needs) {
        TableReader reader(written, reader_.path_of("needs"), diagnostics_);
        const auto name = reader.text("deploy");
        const RawValue* at_least = reader.find("at_least");
        const auto share =
            at_least == nullptr ? std::nullopt : read_share(reader, "at_least", *at_least, 1);
        reader.finish();
        if (at_least == nullptr || written.find("deploy") == nullptr) {
            reader_.error(written.location, "needs",
                          "expected { deploy = \"NAME\", at_least = \"95%\" }");
        }
        if (name && share) needs.push_back({index, *name, written.location, share});
    }

    void locks() {
        const RawValue* written = reader_.find("lock");
        if (written == nullptr) return;
        if (written->kind == RawValue::Kind::list) {
            deployment_.locks = reader_.texts("lock");
        } else if (const auto one = reader_.text("lock"); one && !one->empty()) {
            deployment_.locks = {*one};
        } else if (one) {
            reader_.error(written->location, "lock", "expected a name, or a list of names");
        }
    }

    void guards() {
        const RawValue* written = reader_.table("guards");
        if (written == nullptr) return;
        TableReader reader(*written, reader_.path_of("guards"), diagnostics_);
        for (const auto& [name, guard] : guard_names) {
            const RawValue* value = reader.find(name);
            if (value == nullptr) continue;
            bool& is_on = deployment_.guards.*guard;
            is_on = value->kind != RawValue::Kind::text || value->text != "off";
            if (is_on && (value->kind != RawValue::Kind::text || value->text != "on")) {
                reader.error(value->location, name,
                             "expected \"on\" or \"off\", found " + in_words(*value));
            }
        }
        reader.finish();
    }

    void disabled() {
        const RawValue* written = reader_.find("disabled");
        if (written == nullptr) return;
        const RawValue typed = as_boolean(*written);
        const RawValue* value = &typed;
        if (value->kind == RawValue::Kind::boolean) {
            deployment_.disabled = value->integer != 0;
            return;
        }
        if (value->kind != RawValue::Kind::table) {
            return reader_.error(value->location, "disabled",
                                 "expected true or { until = 2030-12-31, reason = \"..\" }, "
                                 "found " +
                                     in_words(*value));
        }
        TableReader reader(*value, reader_.path_of("disabled"), diagnostics_);
        deployment_.disabled_reason = reader.text("reason").value_or("");
        const RawValue* until = reader.find("until");
        reader.finish();
        deployment_.disabled = true;
        if (until == nullptr) return;
        if (until->kind != RawValue::Kind::date || until->text.size() != today().size()) {
            return reader.error(
                until->location, "until",
                "expected a date without quotes, like 2030-12-31, found " + in_words(*until));
        }
        deployment_.disabled = today() < until->text;
    }

    void probe() {
        if (const RawValue* probe = reader_.find("probe")) {
            deployment_.probes =
                read_probes(*probe, path_ + ".probe", deployment_.certificates, diagnostics_);
            if (probe->kind != RawValue::Kind::list || !probe->entries.empty()) return;
        }
        if (deployment_.plugin == "probe") return;
        diagnostics_.warning(entry_.key_location,
                             path_ +
                                 " has no probe, so nothing but the plugin itself says what is "
                                 "served; add [[" +
                                 path_ + ".probe]], or probe = false if that is meant");
    }

    void config() {
        RawValue nothing;
        nothing.location = entry_.key_location;
        const bool is_given = table_.find("config") != nullptr;
        const RawValue* config = reader_.table("config");
        if (deployer_.descriptor == nullptr || (is_given && config == nullptr)) return;
        SchemaContext schema;
        schema.folder = context_.folder;
        schema.certificates = deployment_.certificates;
        schema.secret = [&](const RawValue& reference, const std::string& path) {
            return context_.secrets.reference(
                reference, path, "deploy." + deployment_.name + path.substr(path_.size()));
        };
        deployment_.config =
            check_config(is_given ? *config : nothing, deployer_.descriptor->params,
                         path_ + ".config", schema, diagnostics_);
        Identities identities =
            identities_of(*deployer_.descriptor, deployment_.config, deployment_.name);
        deployment_.identities = std::move(identities.deployed_to);
        deployment_.exclusives = std::move(identities.exclusive);
        deployment_.account = std::move(identities.account);
    }

    const RawEntry& entry_;
    const RawValue& table_;
    const std::string path_;
    const FoundDeployer& deployer_;
    const DeployContext& context_;
    Diagnostics& diagnostics_;
    TableReader reader_;
    Deployment deployment_;
};

FoundDeployer find_deployer(const RawEntry& entry, const DeployContext& context) {
    const std::string path = "deploy." + entry.key + ".plugin";
    const RawValue* plugin = entry.value.find("plugin");
    Diagnostics& diagnostics = context.diagnostics;
    if (plugin == nullptr) {
        diagnostics.error(entry.key_location, path + " is missing: expected the id of a plugin");
    } else if (plugin->kind != RawValue::Kind::text) {
        diagnostics.error(plugin->location,
                          path + ": expected the id of a plugin, found " + in_words(*plugin));
    } else if (plugin->text.find('@') != std::string::npos) {
        diagnostics.error(
            plugin->location,
            path + ": " + not_available_text("a range of versions") + "; expected the id alone");
    } else if (plugin->text.find("${") != std::string::npos) {
        diagnostics.error(plugin->location,
                          path + ": nothing is substituted in the id of a plugin");
    } else {
        const auto found = context.find(plugin->text);
        if (found) return {plugin->text, found->first, found->second};
        const std::string why = path + ": " + found.error().message;
        if (found.error().code == ErrorCode::not_found) {
            diagnostics.error(plugin->location, why);
            return {plugin->text};
        }
        // Whoever has broken it must not keep the deployments of others from being done.
        diagnostics.warning(plugin->location, why);
        return {plugin->text, nullptr, nullptr, found.error().message};
    }
    return {};
}

/// The entry with every reference replaced, and without the values of those keys that belong to the
/// entry as a whole: a list of many targets is not to be copied for each of them.
RawValue substituted(const RawEntry& entry, Substitution& substitution) {
    RawValue table;
    table.location = entry.value.location;
    for (const RawEntry& inner : entry.value.entries) {
        const bool of_the_entry =
            inner.key == "plugin" || inner.key == "targets" || inner.key == "vars";
        table.entries.push_back({inner.key, inner.key_location,
                                 of_the_entry ? RawValue{} : substitution.apply(inner.value)});
    }
    return table;
}

}  // namespace

void read_deploy_entry(const RawEntry& entry, const DeployContext& context,
                       std::vector<Deployment>& deployments, std::vector<WrittenNeed>& needs) {
    Diagnostics& diagnostics = context.diagnostics;
    const std::string path = "deploy." + entry.key;
    check_name(entry, "deployment", diagnostics);
    if (entry.value.kind != RawValue::Kind::table) {
        return diagnostics.error(entry.value.location,
                                 path + ": expected a table, found " + in_words(entry.value));
    }
    const RawValue* vars = entry.value.find("vars");
    if (vars != nullptr && vars->kind != RawValue::Kind::table) {
        diagnostics.error(vars->location,
                          path + ".vars: expected a table, found " + in_words(*vars));
        vars = nullptr;
    }
    const auto substitution_for = [&](const Target* target) {
        Substitution substitution(target, diagnostics);
        substitution.add_vars(context.vars);
        if (vars != nullptr) substitution.add_vars(*vars);
        return substitution;
    };
    const FoundDeployer deployer = find_deployer(entry, context);
    const std::size_t size_of_vars = context.size_of_vars + (vars == nullptr ? 0 : size_of(*vars));
    enum class Origin { listed, found, still_to_be_found };
    const auto add = [&](const Target* target, Origin origin = Origin::listed) {
        context.expanded += size_of_vars;
        if (context.expanded > most_expanded) return false;
        const std::size_t told_before = diagnostics.count();
        const std::size_t errors_before = diagnostics.error_count();
        Substitution substitution = substitution_for(target);
        const RawValue table = substituted(entry, substitution);
        context.expanded += size_of(table);
        if (context.expanded > most_expanded) return false;
        const bool has_own_name = target != nullptr && origin != Origin::still_to_be_found;
        const std::string name = entry.key + (has_own_name ? "/" + target->name : "");
        if (context.written != nullptr && context.written->name == name) {
            context.written->entry = table;
        }
        Deployment deployment = DeploymentReader(entry, table, deployer, target, context)
                                    .read(deployments.size(), needs);
        if (origin == Origin::still_to_be_found) {
            deployment.name = name;
            deployment.target.clear();
            deployment.discovers = true;
        }
        if (origin == Origin::found) {
            deployment.is_found = true;
            const auto mistake = diagnostics.take_back(told_before, errors_before);
            if (mistake) deployment.unusable = mistake->location.text() + ": " + mistake->message;
        }
        deployments.push_back(std::move(deployment));
        return true;
    };
    const auto add_each = [&](const std::vector<Target>& all, Origin origin) {
        return std::all_of(all.begin(), all.end(),
                           [&](const Target& one) { return add(&one, origin); });
    };
    const auto add_discovered = [&](const Location& location) {
        if (deployer.descriptor != nullptr && !deployer.descriptor->has(Stage::discover)) {
            diagnostics.error(location, path + ".targets: plugin " + deployer.id +
                                            " finds no targets; list them, or name a file of them");
            return true;
        }
        const auto target = [&](const std::string& name) {
            return Target{name, RawValue{.location = location}, location};
        };
        const Result<std::vector<std::string>>* found = nullptr;
        if (context.discovered != nullptr) {
            const auto it = context.discovered->find(entry.key);
            if (it != context.discovered->end()) found = &it->second;
        }
        if (found == nullptr || !*found) {
            const Target any = target("target");
            if (!add(&any, Origin::still_to_be_found)) return false;
            if (found != nullptr) {
                deployments.back().unusable = found->error().text();
            } else if (context.discovered != nullptr) {
                deployments.back().unusable = "its targets were not looked for";
            }
            return true;
        }
        std::vector<Target> all;
        for (const std::string& name : **found) all.push_back(target(name));
        return add_each(all, Origin::found);
    };
    const auto add_all = [&] {
        const RawValue* targets = entry.value.find("targets");
        if (targets == nullptr) return add(nullptr);
        const RawValue written = substitution_for(nullptr).apply(*targets);
        const std::string at = path + ".targets";
        if (are_to_be_discovered(written, at, diagnostics)) return add_discovered(written.location);
        return add_each(read_targets(written, at, context.folder, diagnostics), Origin::listed);
    };
    const bool was_too_much = context.expanded > most_expanded;
    if (add_all() || was_too_much) return;
    diagnostics.error(entry.key_location,
                      path +
                          ": with this entry written out for each of its targets, and those before "
                          "it, the pipeline is larger than 512 MiB; split it into several");
}

}  // namespace certcast
