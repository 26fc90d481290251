#include "plugins/cdn/access.hpp"
#include "plugins/cdn/alibaba_cdn/alibaba_domain.hpp"
#include "plugins/cdn/domain_deployer.hpp"

#include <certcast/deployer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace {

/// Gives a domain of Alibaba Cloud CDN its certificate.
class AlibabaCdn : public cdn::DomainDeployer {
public:
    static constexpr certcast::About about{
        .id = "alibaba-cdn",
        .version = "1.0.0",
        .name = "Bind domains of Alibaba Cloud CDN to certificates",
        .vendor = "certcast",
        .needs = certcast::KEY | certcast::NETWORK,
        .timeouts = cdn::timeouts(std::chrono::minutes(15)),
        .max_certificates = 1,
        .max_parallel = 4};

    static constexpr auto domain =
        certcast::text("domain")
            .required()
            .matching("[-.a-zA-Z0-9]+")
            .identity()
            .doc("As CDN knows it: \"shop.example\"; of a wildcard \".shop.example\"");
    static constexpr auto access_key_id =
        certcast::text("access_key_id").required().account().doc("Who asks");
    static constexpr auto access_key_secret =
        certcast::secret("access_key_secret").required().doc("The secret of access_key_id");
    static constexpr auto security_token =
        certcast::secret("security_token").doc("Of temporary credentials of STS");
    static constexpr auto region =
        certcast::choice("region", "cn-hangzhou", "ap-southeast-1")
            .default_to("cn-hangzhou")
            .doc("Where certificates are kept: \"ap-southeast-1\" for the international site");
    static constexpr auto certificates_endpoint =
        certcast::url("cas_endpoint")
            .advanced()
            .doc("The Certificate Management Service; default: the one of the region");
    static constexpr auto cdn_endpoint =
        certcast::url("cdn_endpoint").default_to("https://cdn.aliyuncs.com").advanced().doc("CDN");
    static constexpr auto request_style =
        certcast::choice("request_style", "form", "query")
            .default_to("form")
            .advanced()
            .doc("Where parameters go, the key among them; in \"query\" proxies may log them");
    static constexpr auto parameters = certcast::parameters(
        domain, access_key_id, access_key_secret, security_token, region, certificates_endpoint,
        cdn_endpoint, request_style, cdn::ca_file_parameter, cdn::proxy_parameter,
        cdn::request_timeout_parameter, cdn::poll_parameter);
    static constexpr auto other_files = certcast::other_files(cdn::trust_store);

    void validate(certcast::Job& job) {
        cdn::expect_https(certificates_endpoint.name(),
                          job[certificates_endpoint].value_or(endpoint_in(job[region])), job);
        cdn::expect_https(cdn_endpoint.name(), job[cdn_endpoint], job);
    }

private:
    static cdn::AskedCredentials::Given credentials_of(const certcast::Job& job, bool again) {
        return {{std::string(job[access_key_id]), job.secret(access_key_secret, again),
                 job.secret(security_token, again).value_or(certcast::Sensitive())}};
    }

    std::unique_ptr<cdn::Domain> domain_of(const certcast::Job& job) override {
        return std::make_unique<cdn::AlibabaDomain>(std::string(job[domain]), access_of(job));
    }

    static std::string_view endpoint_in(std::string_view region_name) {
        return region_name == "cn-hangzhou" ? "https://cas.aliyuncs.com"
                                            : "https://cas.ap-southeast-1.aliyuncs.com";
    }

    static cdn::AlibabaAccess access_of(const certcast::Job& job) {
        return {.credentials = cdn::AskedCredentials(credentials_of),
                .certificates =
                    cdn::endpoint_of(job[certificates_endpoint].value_or(endpoint_in(job[region]))),
                .cdn = cdn::endpoint_of(job[cdn_endpoint]),
                .region = std::string(job[region]),
                .asks_by_query = job[request_style] == "query",
                .http = cdn::settings_of(job)};
    }
};

}  // namespace

CERTCAST_DEPLOYER(AlibabaCdn);
