#pragma once

#include "core/base/redactor.hpp"
#include "core/certificate/certificate_bundle.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/secret_store.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// The certificates of a run, read once, so that everybody deploys the same ones.
class CertificateStore {
public:
    /// May a secret's command be run for a passphrase? Where not, those certificates are left out.
    enum class Commands { run, leave_out };

    void add(std::string name, CertificateBundle bundle);

    /// Reads the certificates that are going to be deployed and says what is wrong with any.
    /// Private keys become known to the redactor.
    boost::asio::awaitable<std::vector<Diagnostic>> load(const Pipeline& pipeline,
                                                         SecretStore& secrets, Redactor& redactor,
                                                         BundleRules rules, Commands commands);

    /// nullptr: not loaded.
    const CertificateBundle* find(std::string_view name) const;

private:
    std::map<std::string, CertificateBundle, std::less<>> bundles_;
};

}  // namespace certcast
