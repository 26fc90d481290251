#include "plugins/cdn/access.hpp"
#include "plugins/cdn/domain_deployer.hpp"
#include "plugins/cdn/huawei_cdn/huawei_domain.hpp"

#include <certcast/deployer.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace {

/// Gives a domain of Huawei Cloud CDN its certificate.
class HuaweiCdn : public cdn::DomainDeployer {
public:
    static constexpr certcast::About about{
        .id = "huawei-cdn",
        .version = "1.0.0",
        .name = "Bind domains of Huawei Cloud CDN to certificates",
        .vendor = "certcast",
        .needs = certcast::KEY | certcast::NETWORK,
        .timeouts = cdn::timeouts(std::chrono::minutes(15)),
        .max_certificates = 1,
        .max_parallel = 2};

    static constexpr auto domain = certcast::text("domain")
                                       .required()
                                       .matching("[-.*a-zA-Z0-9]+")
                                       .identity()
                                       .doc("As CDN knows it: \"shop.example\"");
    static constexpr auto access_key =
        certcast::text("access_key").required().account().doc("Who asks (AK)");
    static constexpr auto secret_key =
        certcast::secret("secret_key").required().doc("The secret of access_key (SK)");
    static constexpr auto security_token =
        certcast::secret("security_token").doc("Of temporary credentials");
    static constexpr auto project = certcast::text("enterprise_project_id")
                                        .doc(
                                            "Where domain and certificates are, for users "
                                            "who see one enterprise project alone");
    static constexpr auto certificates_endpoint =
        certcast::url("scm_endpoint")
            .default_to("https://scm.cn-north-4.myhuaweicloud.com")
            .advanced()
            .doc(
                "SSL Certificate Manager; of the international site "
                "https://scm.ap-southeast-1.myhuaweicloud.com");
    static constexpr auto cdn_endpoint = certcast::url("cdn_endpoint")
                                             .default_to("https://cdn.myhuaweicloud.com")
                                             .advanced()
                                             .doc("CDN");
    static constexpr auto parameters = certcast::parameters(
        domain, access_key, secret_key, security_token, project, certificates_endpoint,
        cdn_endpoint, cdn::ca_file_parameter, cdn::proxy_parameter, cdn::request_timeout_parameter,
        cdn::poll_parameter);
    static constexpr auto other_files = certcast::other_files(cdn::trust_store);

    void validate(certcast::Job& job) {
        cdn::expect_https(certificates_endpoint.name(), job[certificates_endpoint], job);
        cdn::expect_https(cdn_endpoint.name(), job[cdn_endpoint], job);
    }

private:
    static cdn::AskedCredentials::Given credentials_of(const certcast::Job& job, bool again) {
        return {{std::string(job[access_key]), job.secret(secret_key, again),
                 job.secret(security_token, again).value_or(certcast::Sensitive())}};
    }

    std::unique_ptr<cdn::Domain> domain_of(const certcast::Job& job) override {
        return std::make_unique<cdn::HuaweiDomain>(job[domain], access_of(job));
    }

    static cdn::HuaweiAccess access_of(const certcast::Job& job) {
        return {.credentials = cdn::AskedCredentials(credentials_of),
                .certificates = cdn::endpoint_of(job[certificates_endpoint]),
                .cdn = cdn::endpoint_of(job[cdn_endpoint]),
                .project = std::string(job[project].value_or("")),
                .http = cdn::settings_of(job)};
    }
};

}  // namespace

CERTCAST_DEPLOYER(HuaweiCdn);
