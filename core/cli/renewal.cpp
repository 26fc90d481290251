#include "core/cli/renewal.hpp"

#include "core/base/real_path.hpp"
#include "core/pipeline/selection.hpp"

#include <algorithm>
#include <array>
#include <iostream>

namespace certcast {

namespace {

namespace fs = std::filesystem;

using Client = Renewal::Client;
using News = Renewal::News;

/// How each client calls its hooks, from its own source: variables that name files of the
/// certificate or the folder that has them. dehydrated gives arguments instead.
struct Calling {
    Client client;
    const char* name;
    std::array<const char*, 4> variables;
};
constexpr std::array callings{
    Calling{Client::certbot, "certbot", {"RENEWED_LINEAGE"}},
    Calling{
        Client::lego,
        "lego",
        {"LEGO_CERT_PATH", "LEGO_HOOK_CERT_PATH", "LEGO_CERT_PEM_PATH", "LEGO_HOOK_CERT_PEM_PATH"}},
    Calling{Client::acme_sh, "acme.sh", {"CERT_FULLCHAIN_PATH", "CERT_PATH"}},
    Calling{Client::dehydrated, "dehydrated", {}},
};

std::vector<fs::path> files_in(const Calling& calling, const Variables& variables) {
    std::vector<fs::path> files;
    for (const char* name : calling.variables) {
        if (name == nullptr) continue;
        const auto value = variables(name);
        if (value && !value->empty()) files.emplace_back(*value);
    }
    // Whatever it has installed where, acme.sh runs its hooks in the folder that it keeps it in.
    const bool is_acme_sh = calling.client == Client::acme_sh && variables("Le_Domain");
    if (is_acme_sh) files.push_back(fs::current_path());
    return files;
}

Error not_called(const Calling& calling) {
    std::string names;
    for (const char* name : calling.variables) {
        if (name != nullptr) names += (names.empty() ? "" : " or ") + std::string(name);
    }
    return {ErrorCode::invalid,
            std::string("this is no hook of ") + calling.name + ": expected " +
                (names.empty() ? "its arguments behind the pipeline, as in: certcast hook --from "
                                 "dehydrated PIPELINE \"$@\""
                               : names + " in the environment"),
            {}};
}

Error misplaced(std::span<const std::string> arguments) {
    return {
        ErrorCode::invalid,
        arguments.front() +
            " is behind the pipeline, where dehydrated's arguments are: options stand before it",
        {}};
}

/// dehydrated's hooks: VERB DOMAIN KEYFILE CERTFILE FULLCHAINFILE CHAINFILE ..; it has other verbs,
/// and may have more.
Renewal of_dehydrated(std::span<const std::string> arguments) {
    constexpr std::size_t least = 5;
    Renewal renewal{.client = Client::dehydrated, .news = News::of_no_matter, .files = {}};
    const bool is_new = arguments.front() == "deploy_cert";
    const bool is_old = arguments.front() == "unchanged_cert";
    if ((!is_new && !is_old) || arguments.size() < least) return renewal;
    renewal.news = is_new ? News::renewed : News::unchanged;
    renewal.files = {arguments[2], arguments[3], arguments[4]};
    return renewal;
}

/// A file or folder that a client has told of, with the folder that it is in.
struct Told {
    explicit Told(const fs::path& file)
        : real(real_path(file)), folder(real_path(file.parent_path())) {}

    /// The same file or folder, or one right in the other.
    bool is_at(const fs::path& source) const {
        if (source.empty()) return false;
        const fs::path real_source = real_path(source);
        return real_source == real || real_source == folder ||
               real_path(source.parent_path()) == real;
    }

    fs::path real;
    fs::path folder;
};

}  // namespace

Result<Renewal> read_renewal(const std::string& from, std::span<const std::string> arguments,
                             const Variables& variables) {
    if (!arguments.empty() && arguments.front().starts_with('-')) return misplaced(arguments);
    const bool is_any = from == "auto";
    for (const Calling& calling : callings) {
        if (!is_any && from != calling.name) continue;
        if (calling.client == Client::dehydrated) {
            if (!arguments.empty()) return of_dehydrated(arguments);
        } else if (auto files = files_in(calling, variables); !files.empty()) {
            return Renewal{calling.client, News::renewed, std::move(files)};
        }
        if (!is_any) return not_called(calling);
    }
    return Error{
        ErrorCode::invalid,
        "no ACME client has called this hook: expected the variables of certbot "
        "(RENEWED_LINEAGE), lego (LEGO_CERT_PATH) or acme.sh (CERT_FULLCHAIN_PATH), or the "
        "arguments of dehydrated",
        {}};
}

std::vector<std::string> certificates_of(const Pipeline& pipeline, const Renewal& renewal) {
    const std::vector<Told> files(renewal.files.begin(), renewal.files.end());
    std::vector<std::string> names;
    for (const auto& entry : pipeline.certificates) {
        const CertificateSource& source = entry.second;
        const bool is_it = std::any_of(files.begin(), files.end(), [&](const Told& file) {
            return file.is_at(source.source) || file.is_at(source.certificate);
        });
        if (is_it) names.push_back(entry.first);
    }
    return names;
}

void keep_deployments_of(const Renewal& renewal, Pipeline& pipeline) {
    select_by_certificate(pipeline, certificates_of(pipeline, renewal));
}

bool has_deployments_of(const Renewal& renewal, Pipeline& pipeline) {
    keep_deployments_of(renewal, pipeline);
    if (!pipeline.deployments.empty()) return true;
    std::cout << pipeline.name << ": no deployment of this certificate\n";
    return false;
}

}  // namespace certcast
