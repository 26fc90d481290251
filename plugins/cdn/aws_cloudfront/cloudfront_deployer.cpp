#include "plugins/cdn/access.hpp"
#include "plugins/cdn/aws_cloudfront/aws_credentials.hpp"
#include "plugins/cdn/aws_cloudfront/distribution.hpp"
#include "plugins/cdn/domain_deployer.hpp"

#include <certcast/deployer.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace {

/// Gives a distribution of CloudFront its certificate.
class CloudFront : public cdn::DomainDeployer {
public:
    static constexpr certcast::About about{.id = "aws-cloudfront",
                                           .version = "1.0.0",
                                           .name = "Keep certificates of CloudFront distributions",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK,
                                           .timeouts = cdn::timeouts(std::chrono::minutes(30)),
                                           .max_certificates = 1,
                                           .max_parallel = 2};

    static constexpr auto distribution = certcast::text("distribution")
                                             .required()
                                             .matching("[A-Z0-9]+")
                                             .identity()
                                             .doc("Its id, as in \"E2QWRUHAPOMQZL\"");
    static constexpr auto renewal =
        certcast::choice("renewal", "same_arn", "new_arn")
            .default_to("same_arn")
            .doc(
                "\"same_arn\": it is imported under its ARN, which CloudFront may notice hours "
                "later; \"new_arn\": the distribution is bound to another one");
    static constexpr auto access_key_id = certcast::text("access_key_id").account().doc("Who asks");
    static constexpr auto secret_access_key =
        certcast::secret("secret_access_key").doc("The key of access_key_id");
    static constexpr auto session_token =
        certcast::secret("session_token").doc("Of temporary credentials");
    static constexpr auto access_key_id_from =
        certcast::secret("access_key_id_from")
            .account()
            .doc(
                "In the place of access_key_id: where it is taken from, as in { env = "
                "\"AWS_ACCESS_KEY_ID\" }");
    static constexpr auto credentials_file =
        certcast::path("credentials_file")
            .reads()
            .must_exist()
            .doc("A file with profiles, as in \"/root/.aws/credentials\"");
    static constexpr auto profile =
        certcast::text("profile").default_to("default").account().doc("Of credentials_file");
    static constexpr auto instance_role =
        certcast::boolean("instance_role")
            .default_to("false")
            .doc("The machine's role asks, by the instance metadata service (version 2)");
    static constexpr auto metadata_endpoint = certcast::url("metadata_endpoint")
                                                  .default_to("http://169.254.169.254")
                                                  .advanced()
                                                  .doc("The instance metadata service");
    static constexpr auto acm_endpoint =
        certcast::url("acm_endpoint")
            .default_to("https://acm.us-east-1.amazonaws.com")
            .advanced()
            .doc("Certificate Manager, in the one region that CloudFront looks into");
    static constexpr auto cloudfront_endpoint = certcast::url("cloudfront_endpoint")
                                                    .default_to("https://cloudfront.amazonaws.com")
                                                    .advanced()
                                                    .doc("CloudFront");
    static constexpr auto parameters = certcast::parameters(
        distribution, renewal, access_key_id, secret_access_key, session_token, access_key_id_from,
        credentials_file, profile, instance_role, metadata_endpoint, acm_endpoint,
        cloudfront_endpoint, cdn::ca_file_parameter, cdn::proxy_parameter,
        cdn::request_timeout_parameter, cdn::poll_parameter);
    static constexpr auto other_files = certcast::other_files(cdn::trust_store);

    void validate(certcast::Job& job) {
        cdn::expect_https(acm_endpoint.name(), job[acm_endpoint], job);
        cdn::expect_https(cloudfront_endpoint.name(), job[cloudfront_endpoint], job);
        const bool has_id = job.has(access_key_id) || job.has(access_key_id_from);
        const int ways =
            (has_id ? 1 : 0) + (job.has(credentials_file) ? 1 : 0) + (job[instance_role] ? 1 : 0);
        if (ways != 1 || (job.has(access_key_id) && job.has(access_key_id_from))) {
            job.diagnose(certcast::Level::error, "access_key_id",
                         "one of 'access_key_id', 'access_key_id_from', 'credentials_file' and "
                         "'instance_role' has to say who asks",
                         ways == 0 ? "none of them is given" : "more than one is given");
        }
        if (has_id != job.has(secret_access_key)) {
            job.diagnose(certcast::Level::error, "secret_access_key",
                         "an access key has an id and a secret", "give both or none");
        }
    }

private:
    std::unique_ptr<cdn::Domain> domain_of(const certcast::Job& job) override {
        return std::make_unique<cdn::Distribution>(std::string(job[distribution]), access_of(job),
                                                   job[cdn::poll_parameter]);
    }

    static cdn::AwsAccess access_of(const certcast::Job& job) {
        return {.credentials = cdn::AskedCredentials(source_of(job)),
                .acm = cdn::endpoint_of(job[acm_endpoint]),
                .cloudfront = cdn::endpoint_of(job[cloudfront_endpoint]),
                .replaces = job[renewal] == "same_arn",
                .http = cdn::settings_of(job)};
    }

    static cdn::AskedCredentials::Source source_of(const certcast::Job& job) {
        if (job[instance_role]) {
            return [](const certcast::Job& now, bool) {
                return cdn::ask_metadata(std::string(now[metadata_endpoint]), now);
            };
        }
        if (job.has(credentials_file)) {
            return [](const certcast::Job& now, bool) -> cdn::AskedCredentials::Given {
                return {cdn::read_profile(*now[credentials_file], now[profile])};
            };
        }
        return [](const certcast::Job& now, bool again) -> cdn::AskedCredentials::Given {
            const auto id_from = now.secret(access_key_id_from, again);
            const std::string_view id = id_from ? id_from->text() : now[access_key_id].value_or("");
            const auto none = certcast::Sensitive();
            return {{std::string(id), now.secret(secret_access_key, again).value_or(none),
                     now.secret(session_token, again).value_or(none)}};
        };
    }
};

}  // namespace

CERTCAST_DEPLOYER(CloudFront);
