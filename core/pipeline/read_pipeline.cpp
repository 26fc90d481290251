#include "core/pipeline/read_pipeline.hpp"

#include "core/base/real_path.hpp"
#include "core/pipeline/deploy_entry.hpp"
#include "core/pipeline/limit_reading.hpp"
#include "core/pipeline/needs.hpp"
#include "core/pipeline/secret_reading.hpp"
#include "core/pipeline/substitution.hpp"
#include "core/pipeline/table_reader.hpp"
#include "core/pipeline/text_file.hpp"
#include "core/pipeline/timing.hpp"
#include "core/pipeline/toml_document.hpp"
#include "core/plugin/identity.hpp"
#include "core/plugin/text_rules.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace certcast {

namespace {

constexpr std::uint32_t most_parallel = 100'000;

/// Reads the sections of one file into a Pipeline.
class PipelineReader {
public:
    PipelineReader(const std::filesystem::path& file, const FindDeployer& find,
                   Diagnostics& diagnostics, WrittenDeployment* written,
                   const DiscoveredTargets* discovered)
        : find_(find),
          written_(written),
          discovered_(discovered),
          diagnostics_(diagnostics),
          folder_(file.parent_path()),
          secrets_(folder_, diagnostics),
          substitution_(nullptr, diagnostics) {
        pipeline_.file = file;
        pipeline_.real_file = real_path(file);
        vars_.kind = RawValue::Kind::table;
    }

    Pipeline read(const RawValue& document) {
        TableReader reader(document, {}, diagnostics_);
        top_.file = document.location.file;
        reader.not_available(
            {"include", "template", "account", "inventory", "certificates", "freeze", "notify"});
        format(reader);
        if (const RawValue* vars = reader.table("vars")) {
            vars_ = *vars;
            substitution_.add_vars(vars_);
        }
        name(reader);
        if (const RawValue* secrets = reader.table("secret")) read_secrets(*secrets);
        if (const RawValue* certificates = reader.table("certificate")) {
            read_certificates(*certificates);
        }
        if (const RawValue* defaults = reader.table("defaults")) read_defaults(*defaults);
        const RawValue* entries = reader.find("deploy");
        reader.finish();
        if (entries == nullptr) {
            diagnostics_.error(top_, "deploys nothing: expected at least one [deploy.NAME]");
        } else {
            read_deployments(*entries);
        }
        find_probe();
        report_same_place();
        pipeline_.secrets = secrets_.take();
        return std::move(pipeline_);
    }

private:
    void format(TableReader& reader) {
        const RawValue* format = reader.find("format");
        if (format == nullptr) {
            diagnostics_.error(top_, "format is missing: expected format = 1 at the top");
        } else if (format->kind != RawValue::Kind::integer || format->integer != 1) {
            reader.error(format->location, "format",
                         "expected 1, which is all that this version of certcast reads, found " +
                             in_words(*format));
        }
    }

    void name(TableReader& reader) {
        pipeline_.name = pipeline_.file.stem().string();
        const RawValue* written = reader.find("pipeline");
        if (written == nullptr) return;
        const RawValue name = substitution_.apply(*written);
        if (name.kind != RawValue::Kind::text || !is_name(name.text)) {
            return reader.error(name.location, "pipeline",
                                "expected a name of letters, digits, \"-\", \"_\" and \".\", "
                                "found " +
                                    in_words(name));
        }
        pipeline_.name = name.text;
    }

    void read_secrets(const RawValue& section) {
        for (const RawEntry& entry : substitution_.apply(section).entries) {
            secrets_.add_named(entry, "secret." + entry.key);
        }
    }

    void read_certificates(const RawValue& section) {
        for (const RawEntry& entry : substitution_.apply(section).entries) {
            const std::string path = "certificate." + entry.key;
            check_name(entry, "certificate", diagnostics_);
            if (entry.value.kind != RawValue::Kind::table) {
                diagnostics_.error(entry.value.location,
                                   path +
                                       ": expected a table with source, or with certificate "
                                       "and key, found " +
                                       in_words(entry.value));
            }
            // A broken one still counts as known, so that its uses are not reported too.
            certificate_names_.push_back(entry.key);
            pipeline_.certificates[entry.key] = read_certificate(entry, path);
        }
    }

    CertificateSource read_certificate(const RawEntry& entry, const std::string& path) {
        CertificateSource found;
        found.location = entry.key_location;
        if (entry.value.kind != RawValue::Kind::table) return found;
        const RawValue& table = entry.value;
        TableReader reader(table, path, diagnostics_);
        const auto path_of = [&](std::string_view key) {
            const auto text = reader.text(key);
            return text && !text->empty() ? absolute_path(folder_, *text) : std::string();
        };
        found.source = path_of("source");
        found.certificate = path_of("certificate");
        found.chain = path_of("chain");
        const RawValue* key = table.find("key");
        found.without_key =
            key != nullptr && key->kind == RawValue::Kind::text && key->text == "none";
        const std::string key_path = path_of("key");
        if (!found.without_key) found.key = key_path;
        if (const RawValue* passphrase = reader.find("passphrase")) {
            const std::string name = reader.path_of("passphrase");
            found.passphrase = secrets_.reference(*passphrase, name, name);
        }
        reader.finish();

        const bool has_source = table.find("source") != nullptr;
        const bool has_certificate = table.find("certificate") != nullptr;
        if (has_source == has_certificate) {
            diagnostics_.error(entry.key_location,
                               path + ": expected " + (has_source ? "only one of " : "") +
                                   "source = \"FOLDER or FILE\"" +
                                   (has_source ? " and " : ", or ") +
                                   "certificate = \"FILE\" with key = \"FILE\"");
        } else if (has_certificate && key == nullptr) {
            diagnostics_.error(entry.key_location,
                               path + ".key is missing: expected a file, or \"none\"");
        } else if (has_source && key != nullptr && !found.without_key) {
            reader.error(key->location, "key",
                         "expected only \"none\" beside source, which is searched for the key");
        } else if (has_source && table.find("chain") != nullptr) {
            reader.error(table.find("chain")->location, "chain",
                         "is not used beside source, which is searched for the chain");
        }
        return found;
    }

    void read_defaults(const RawValue& section) {
        const RawValue table = substitution_.apply(section);
        if (written_ != nullptr) written_->defaults = table;
        TableReader reader(table, "defaults", diagnostics_);
        reader.not_available(
            {"lock", "waves", "pause", "max_failures", "on_abort", "guards", "window", "notify"});
        defaults_ = read_timing(reader, diagnostics_);
        limits_ = read_limits(reader, diagnostics_).over(Limits{});
        sandboxes_.of_all = read_sandbox_of_all(reader).value_or(Sandbox::on);
        pipeline_.max_parallel =
            reader.count("max_parallel", most_parallel).value_or(pipeline_.max_parallel);
        const RawValue* plugins = reader.table("plugin");
        reader.finish();
        if (plugins == nullptr) return;
        for (const RawEntry& entry : plugins->entries) read_plugin_defaults(entry);
    }

    void read_plugin_defaults(const RawEntry& entry) {
        const std::string path = "defaults.plugin." + entry.key;
        if (entry.value.kind != RawValue::Kind::table) {
            return diagnostics_.error(
                entry.value.location,
                path + ": expected a table with max_parallel or sandbox, found " +
                    in_words(entry.value));
        }
        TableReader reader(entry.value, path, diagnostics_);
        const auto limit = reader.count("max_parallel", most_parallel);
        const auto sandbox = read_sandbox_of_plugin(reader);
        reader.finish();
        const auto deployer = find_(entry.key);
        if (!deployer) {
            // One that cannot be used is told where it is.
            if (deployer.error().code != ErrorCode::not_found) return;
            return diagnostics_.error(entry.key_location, path + ": " + deployer.error().message);
        }
        const Descriptor& descriptor = *deployer->second;
        const std::uint32_t most = has_account(descriptor) ? 0 : descriptor.max_parallel;
        if (limit && most != 0 && *limit > most) {
            reader.error(entry.value.find("max_parallel")->location, "max_parallel",
                         "the plugin allows at most " + std::to_string(most) + ", found " +
                             std::to_string(*limit));
        }
        if (sandbox) sandboxes_.of_plugin[entry.key] = *sandbox;
        if (limit) pipeline_.plugin_limits[entry.key] = *limit;
    }

    void read_deployments(const RawValue& section) {
        if (section.kind != RawValue::Kind::table || section.entries.empty()) {
            return diagnostics_.error(
                section.location, "deploy: expected tables [deploy.NAME], found " +
                                      (section.kind == RawValue::Kind::table ? std::string("none")
                                                                             : in_words(section)));
        }
        std::size_t expanded = 0;
        const DeployContext context{folder_,    find_,        vars_,      size_of(vars_),
                                    defaults_,  limits_,      sandboxes_, certificate_names_,
                                    secrets_,   diagnostics_, expanded,   written_,
                                    discovered_};
        std::vector<WrittenNeed> needs;
        std::vector<std::string> names;
        for (const RawEntry& entry : section.entries) {
            names.push_back(entry.key);
            read_deploy_entry(entry, context, pipeline_.deployments, needs);
        }
        resolve_needs(pipeline_.deployments, needs, names, diagnostics_);
    }

    void find_probe() {
        const auto& all = pipeline_.deployments;
        const auto probed = std::find_if(all.begin(), all.end(),
                                         [](const Deployment& one) { return !one.probes.empty(); });
        if (probed == all.end()) return;
        const auto found = find_("probe");
        if (!found) {
            return diagnostics_.error(probed->probes.front().location,
                                      "what is served cannot be probed: " + found.error().message);
        }
        pipeline_.probe_library = found->first;
        pipeline_.probe = found->second;
        pipeline_.probe_sandbox = sandboxes_.of("probe");
    }

    void report_same_place() {
        std::map<std::string, Deployment*> seen;
        for (Deployment& deployment : pipeline_.deployments) {
            // One that stands for targets is at none of their places.
            const bool is_out = deployment.is_found && !deployment.unusable.empty();
            if (deployment.disabled || deployment.discovers || is_out) continue;
            for (const std::string& identity : deployment.identities) {
                const auto [other, is_new] = seen.try_emplace(identity, &deployment);
                if (is_new) continue;
                const bool is_itself = other->second == &deployment;
                const std::string what =
                    is_itself ? deployment.name + " deploys twice to the same place: " + identity
                              : deployment.name + " and " + other->second->name + " (" +
                                    other->second->location.text() +
                                    ") deploy to the same place: " + identity +
                                    "; they would take turns for ever";
                if (!deployment.is_found && other->second->is_found) {
                    std::exchange(other->second, &deployment)->unusable = what;
                    continue;
                }
                if (deployment.is_found) {
                    deployment.unusable = what;
                } else {
                    diagnostics_.error(deployment.location, what);
                }
                break;
            }
        }
    }

    const FindDeployer& find_;
    WrittenDeployment* written_;
    const DiscoveredTargets* discovered_;
    Diagnostics& diagnostics_;
    const std::filesystem::path folder_;
    Location top_{{}, 1, 1};
    RawValue vars_;
    SecretReading secrets_;
    Substitution substitution_;
    Timing defaults_;
    Limits limits_;
    SandboxChoices sandboxes_;
    std::vector<std::string> certificate_names_;
    Pipeline pipeline_;
};

PipelineReading refused(const Error& error, const std::filesystem::path& file) {
    PipelineReading reading;
    reading.diagnostics.push_back(
        {Diagnostic::Severity::error, Location{file.string()}, error.message});
    return reading;
}

}  // namespace

PipelineReading read_pipeline(const std::filesystem::path& file, const FindDeployer& find,
                              WrittenDeployment* written, const DiscoveredTargets* discovered) {
    const Result<std::string> text = read_text_file(file);
    if (!text) return refused(text.error(), file);
    return read_pipeline_text(*text, file, find, written, discovered);
}

PipelineReading read_pipeline_text(const std::string& text, const std::filesystem::path& file,
                                   const FindDeployer& find, WrittenDeployment* written,
                                   const DiscoveredTargets* discovered) {
    std::error_code failure;
    const std::filesystem::path absolute = std::filesystem::absolute(file, failure);
    if (failure) {
        return refused(system_error("has no absolute path", failure.value()), file);
    }
    PipelineReading reading;
    Diagnostics diagnostics;
    // Messages name the file as it was given.
    if (const auto document = parse_toml(text, file.string(), diagnostics)) {
        Pipeline pipeline =
            PipelineReader(absolute.lexically_normal(), find, diagnostics, written, discovered)
                .read(*document);
        if (!diagnostics.has_errors()) reading.pipeline = std::move(pipeline);
    }
    reading.diagnostics = diagnostics.take();
    return reading;
}

}  // namespace certcast
