#include "core/scheduler/certificate_store.hpp"

#include "core/certificate/sources.hpp"

#include <certcast/plugin.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <set>

namespace certcast {

namespace asio = boost::asio;

namespace {

Result<CertificateParts> read(const CertificateSource& source, const Secret& passphrase) {
    if (!source.source.empty()) return read_source(source.source, passphrase);
    return read_files(source.certificate, source.key, source.chain, passphrase);
}

Result<CertificateBundle> load_one(const CertificateSource& source, const Secret& passphrase,
                                   BundleRules rules) {
    Result<CertificateParts> parts = read(source, passphrase);
    if (parts.has_error()) return parts.error();
    rules.without_key = rules.without_key || source.without_key;
    return CertificateBundle::from(std::move(*parts), rules);
}

std::set<std::string> names_to_deploy(const Pipeline& pipeline) {
    std::set<std::string> names;
    for (const Deployment& deployment : pipeline.deployments) {
        if (deployment.disabled) continue;
        names.insert(deployment.certificates.begin(), deployment.certificates.end());
    }
    return names;
}

/// What a guard would refuse is allowed where no deployment has that guard.
BundleRules without_guards(BundleRules rules, const Pipeline& pipeline, const std::string& name) {
    const auto nobody_guards = [&](bool Guards::*guard) {
        return std::none_of(pipeline.deployments.begin(), pipeline.deployments.end(),
                            [&](const Deployment& one) {
                                const auto& names = one.certificates;
                                return !one.disabled && one.guards.*guard &&
                                       std::find(names.begin(), names.end(), name) != names.end();
                            });
    };
    rules.allow_wrong_key = nobody_guards(&Guards::key);
    rules.allow_broken_chain = nobody_guards(&Guards::chain);
    rules.allow_outside_validity = nobody_guards(&Guards::expired);
    return rules;
}

bool by_command(const Pipeline& pipeline, const std::string& secret) {
    const auto found = pipeline.secrets.find(secret);
    return found != pipeline.secrets.end() && found->second.kind == SecretSource::Kind::command;
}

}  // namespace

void CertificateStore::add(std::string name, CertificateBundle bundle) {
    bundles_.insert_or_assign(std::move(name), std::move(bundle));
}

namespace {

asio::awaitable<Result<Secret>> converted(const CertificateBundle& bundle, MaterialQuery query) {
    co_return bundle.material(query.kind, query.password.text(), query.friendly_name,
                              static_cast<Pkcs12Profile>(query.pkcs12_profile));
}

}  // namespace

asio::awaitable<Result<Secret>> CertificateStore::pkcs12(const CertificateBundle& bundle,
                                                         MaterialQuery query) {
    if (!converting_) converting_.emplace(1);
    // Not cancelled: the signal would reach the other thread when nothing of this is left.
    co_return co_await asio::co_spawn(
        *converting_, converted(bundle, std::move(query)),
        asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

const CertificateBundle* CertificateStore::find(std::string_view name) const {
    const auto found = bundles_.find(name);
    return found == bundles_.end() ? nullptr : &found->second;
}

asio::awaitable<std::vector<Diagnostic>> CertificateStore::load(const Pipeline& pipeline,
                                                                SecretStore& secrets,
                                                                Redactor& redactor,
                                                                BundleRules rules,
                                                                Commands commands) {
    co_await asio::this_coro::throw_if_cancelled(false);
    std::vector<Diagnostic> found;
    const std::set<std::string> wanted = names_to_deploy(pipeline);
    for (const auto& entry : pipeline.certificates) {
        const std::string& name = entry.first;
        if (!wanted.contains(name)) continue;
        const CertificateSource& source = entry.second;
        const auto report = [&](Diagnostic::Severity severity, const std::string& message) {
            found.push_back({severity, source.location, "certificate " + name + ": " + message});
        };
        Secret passphrase;
        if (!source.passphrase.empty()) {
            if (commands == Commands::leave_out && by_command(pipeline, source.passphrase)) {
                report(Diagnostic::Severity::warning,
                       "not looked at, because a command gives its passphrase");
                continue;
            }
            Result<Secret> resolved = co_await secrets.resolve(source.passphrase);
            if (resolved.has_error()) {
                if (resolved.error().code == ErrorCode::cancelled) co_return found;
                report(Diagnostic::Severity::error, resolved.error().text());
                continue;
            }
            passphrase = std::move(*resolved);
        }
        Result<CertificateBundle> bundle =
            load_one(source, passphrase, without_guards(rules, pipeline, name));
        if (bundle.has_error()) {
            report(Diagnostic::Severity::error, bundle.error().text());
            continue;
        }
        for (const std::string& warning : bundle->warnings()) {
            report(Diagnostic::Severity::warning, warning);
        }
        if (bundle->has_key()) {
            const Result<Secret> key = bundle->material(CERTCAST_KEY_PEM);
            // Pieces of its lines stand in the certificate too, which may be shown.
            if (key.has_value()) redactor.add(key->text(), Pieces::harmless);
            for (const Secret& part : bundle->private_parts()) redactor.add(part.text());
        }
        add(name, std::move(*bundle));
    }
    co_return found;
}

}  // namespace certcast
