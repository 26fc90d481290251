#include "core/cli/doubts.hpp"

#include "core/base/real_path.hpp"
#include "core/worker/granting.hpp"

#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace certcast {

namespace fs = std::filesystem;

namespace {

Diagnostic warning(const Location& location, std::string message) {
    return {Diagnostic::Severity::warning, location, std::move(message)};
}

bool is_program(const fs::path& file) {
    std::error_code failure;
    return fs::is_regular_file(file, failure) && ::access(file.c_str(), X_OK) == 0;
}

bool can_be_run(const std::string& name) {
    if (name.find('/') != std::string::npos) return is_program(name);
    const char* const path = std::getenv("PATH");
    std::string_view folders = path == nullptr ? "/usr/bin:/bin" : path;
    for (;;) {
        const std::size_t end = folders.find(':');
        if (is_program(fs::path(folders.substr(0, end)) / name)) return true;
        if (end == std::string_view::npos) return false;
        folders.remove_prefix(end + 1);
    }
}

void look_for_program(const std::vector<std::string>& argv, const Location& location,
                      const std::string& whose, std::vector<Diagnostic>& found) {
    if (argv.empty() || can_be_run(argv.front())) return;
    found.push_back(warning(location, whose + ": there is no program \"" + argv.front() +
                                          "\" that this user can run here"));
}

void look_for_source(const SecretSource& source, const std::string& name,
                     std::vector<Diagnostic>& found) {
    const std::string whose = "secret " + name;
    switch (source.kind) {
        case SecretSource::Kind::environment:
            if (std::getenv(source.value.c_str()) == nullptr) {
                found.push_back(warning(source.location,
                                        whose + ": the variable " + source.value + " is not set"));
            }
            break;
        case SecretSource::Kind::file:
            if (::access(source.value.c_str(), R_OK) != 0) {
                found.push_back(
                    warning(source.location,
                            whose + ": " + source.value + " cannot be read: " + ::strerror(errno)));
            }
            break;
        case SecretSource::Kind::command:
            look_for_program(source.command, source.location, whose, found);
            break;
        case SecretSource::Kind::credential:
            break;  // there only when systemd starts it
    }
}

/// What nobody but the operator may write, each with a word for it.
std::vector<std::pair<fs::path, std::string>> of_the_operator(const Pipeline& pipeline) {
    std::vector<std::pair<fs::path, std::string>> files{{pipeline.file, "the pipeline"}};
    for (const auto& [name, source] : pipeline.certificates) {
        for (const fs::path& file : {source.source, source.certificate, source.key, source.chain}) {
            if (!file.empty()) files.emplace_back(file, "the certificate " + name);
        }
    }
    for (const auto& [name, source] : pipeline.secrets) {
        if (source.kind == SecretSource::Kind::file) {
            files.emplace_back(source.value, "the secret " + name);
        }
    }
    for (auto& [file, what] : files) file = real_path(file);
    return files;
}

}  // namespace

std::vector<Diagnostic> wide_grants(const Pipeline& pipeline) {
    std::vector<Diagnostic> found;
    const auto files = of_the_operator(pipeline);
    std::set<fs::path> looked_at;
    for (const Deployment& deployment : pipeline.deployments) {
        if (!deployment.can_run() || deployment.sandbox == Sandbox::off) continue;
        const Grants grants = grants_of(*deployment.descriptor, deployment.config);
        for (const PathGrant& grant : grants.paths) {
            if (grant.access != Access::write || !looked_at.insert(grant.path).second) continue;
            const fs::path folder = real_path(grant.path);
            const auto inside = std::find_if(files.begin(), files.end(), [&](const auto& file) {
                return is_beneath(file.first, folder);
            });
            if (inside == files.end()) continue;
            found.push_back(
                warning(deployment.location, deployment.name + ": the plugin " + deployment.plugin +
                                                 " may write all of " + grant.path + ", where " +
                                                 inside->second +
                                                 " is; give what it deploys a folder of its own"));
        }
    }
    return found;
}

std::vector<Diagnostic> missing_here(const Pipeline& pipeline) {
    std::vector<Diagnostic> found;
    for (const auto& [name, source] : pipeline.secrets) look_for_source(source, name, found);
    for (const Deployment& deployment : pipeline.deployments) {
        if (deployment.disabled) continue;
        for (const auto& [key, value] : deployment.config.entries) {
            if (value.type != ParameterType::command) continue;
            look_for_program(value.texts(), deployment.location, deployment.name + ": " + key,
                             found);
        }
    }
    return found;
}

std::vector<Diagnostic> uncovered_names(const Pipeline& pipeline,
                                        const CertificateStore& certificates) {
    std::vector<Diagnostic> found;
    for (const Deployment& deployment : pipeline.deployments) {
        for (const ProbeCheck& probe : deployment.probes) {
            const std::string& expected = deployment.certificates[probe.certificate];
            const CertificateBundle* bundle = certificates.find(expected);
            if (bundle == nullptr || probe.server_name.empty() || deployment.disabled) continue;
            const auto& names = bundle->names();
            const bool covered = std::any_of(
                names.begin(), names.end(),
                [&](const std::string& name) { return covers_name(name, probe.server_name); });
            if (covered) continue;
            found.push_back(warning(
                probe.location, deployment.name + ": the certificate " + expected +
                                    " does not cover the server_name " + probe.server_name +
                                    " of the probe, so clients will refuse it under that name"));
        }
    }
    return found;
}

}  // namespace certcast
