#include "plugins/cdn/access.hpp"
#include "plugins/cdn/domain_deployer.hpp"
#include "plugins/cdn/tencent_cdn/tencent_domain.hpp"

#include <certcast/deployer.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace {

/// Gives a domain of Tencent Cloud CDN its certificate.
class TencentCdn : public cdn::DomainDeployer {
public:
    static constexpr certcast::About about{
        .id = "tencent-cdn",
        .version = "1.0.0",
        .name = "Bind domains of Tencent Cloud CDN to certificates",
        .vendor = "certcast",
        .needs = certcast::KEY | certcast::NETWORK,
        .timeouts = cdn::timeouts(std::chrono::minutes(15)),
        .max_certificates = 1,
        .max_parallel = 4};

    static constexpr auto domain = certcast::text("domain")
                                       .required()
                                       .matching("[-.*a-zA-Z0-9]+")
                                       .identity()
                                       .doc("As CDN knows it: \"shop.example\"");
    static constexpr auto secret_id =
        certcast::text("secret_id").required().account().doc("Who asks");
    static constexpr auto secret_key =
        certcast::secret("secret_key").required().doc("The key of secret_id");
    static constexpr auto token = certcast::secret("token").doc("Of temporary credentials of STS");
    static constexpr auto method =
        certcast::choice("method", "update", "deploy")
            .default_to("update")
            .doc(
                "Who binds: \"update\", CDN, by the domain's settings; \"deploy\", SSL "
                "Certificates");
    static constexpr auto certificates_endpoint =
        certcast::url("ssl_endpoint")
            .default_to("https://ssl.tencentcloudapi.com")
            .advanced()
            .doc(
                "SSL Certificates; of the international site https://ssl.intl.tencentcloudapi.com");
    static constexpr auto cdn_endpoint =
        certcast::url("cdn_endpoint")
            .default_to("https://cdn.tencentcloudapi.com")
            .advanced()
            .doc("CDN; of the international site https://cdn.intl.tencentcloudapi.com");
    static constexpr auto parameters =
        certcast::parameters(domain, secret_id, secret_key, token, method, certificates_endpoint,
                             cdn_endpoint, cdn::ca_file_parameter, cdn::proxy_parameter,
                             cdn::request_timeout_parameter, cdn::poll_parameter);
    static constexpr auto other_files = certcast::other_files(cdn::trust_store);

    void validate(certcast::Job& job) {
        cdn::expect_https(certificates_endpoint.name(), job[certificates_endpoint], job);
        cdn::expect_https(cdn_endpoint.name(), job[cdn_endpoint], job);
    }

private:
    static cdn::AskedCredentials::Given credentials_of(const certcast::Job& job, bool again) {
        return {{std::string(job[secret_id]), job.secret(secret_key, again),
                 job.secret(token, again).value_or(certcast::Sensitive())}};
    }

    std::unique_ptr<cdn::Domain> domain_of(const certcast::Job& job) override {
        return std::make_unique<cdn::TencentDomain>(std::string(job[domain]), access_of(job));
    }

    static cdn::TencentAccess access_of(const certcast::Job& job) {
        return {.credentials = cdn::AskedCredentials(credentials_of),
                .certificates = cdn::endpoint_of(job[certificates_endpoint]),
                .cdn = cdn::endpoint_of(job[cdn_endpoint]),
                .deploys = job[method] == "deploy",
                .poll = job[cdn::poll_parameter],
                .http = cdn::settings_of(job)};
    }
};

}  // namespace

CERTCAST_DEPLOYER(TencentCdn);
