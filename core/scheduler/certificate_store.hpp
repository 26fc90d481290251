#pragma once

#include "core/base/redactor.hpp"
#include "core/certificate/certificate_bundle.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/secret_store.hpp"
#include "core/worker/session.hpp"

#include <boost/asio/thread_pool.hpp>

#include <map>
#include <optional>
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

    /// On a thread of its own, one after the other: deriving a key from the password takes
    /// milliseconds, in which nobody else would be heard.
    boost::asio::awaitable<Result<Secret>> pkcs12(const CertificateBundle& bundle,
                                                  MaterialQuery query);

private:
    std::map<std::string, CertificateBundle, std::less<>> bundles_;
    std::optional<boost::asio::thread_pool> converting_;  ///< made when it is needed first
};

}  // namespace certcast
