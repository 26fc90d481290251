#include "plugins/cdn/access.hpp"
#include "plugins/cdn/cloudflare/zone_certificate.hpp"
#include "plugins/cdn/domain_deployer.hpp"

#include <certcast/deployer.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace {

/// Keeps a custom certificate of a zone of Cloudflare.
class Cloudflare : public cdn::DomainDeployer {
public:
    static constexpr certcast::About about{.id = "cloudflare",
                                           .version = "1.0.0",
                                           .name = "Keep custom certificates of Cloudflare zones",
                                           .vendor = "certcast",
                                           .needs = certcast::KEY | certcast::NETWORK,
                                           .timeouts = cdn::timeouts(std::chrono::minutes(15)),
                                           .max_certificates = 1,
                                           .max_parallel = 4};

    static constexpr auto zone = certcast::text("zone")
                                     .required()
                                     .matching("[0-9a-f]{32}")
                                     .identity()
                                     .doc("Its id, 32 digits");
    static constexpr auto name = certcast::text("name").default_to("").identity().doc(
        "Tells several certificates of one zone apart, in what certcast remembers");
    static constexpr auto token =
        certcast::secret("token").required().account().doc("An API token");
    static constexpr auto bundle_method =
        certcast::choice("bundle_method", "ubiquitous", "optimal", "force")
            .default_to("ubiquitous")
            .doc("How Cloudflare completes the chain; \"force\": not at all");
    static constexpr auto type =
        certcast::choice("type", "sni_custom", "legacy_custom")
            .default_to("sni_custom")
            .doc("Of a new one; \"legacy_custom\" serves clients without SNI, too");
    static constexpr auto takeover =
        certcast::boolean("takeover")
            .default_to("false")
            .doc(
                "Also replaces a certificate for the same hosts that certcast has not put there, "
                "which nobody can undo");
    static constexpr auto endpoint = certcast::url("endpoint")
                                         .default_to("https://api.cloudflare.com/client/v4")
                                         .advanced()
                                         .doc("The API");
    static constexpr auto parameters = certcast::parameters(
        zone, name, token, bundle_method, type, takeover, endpoint, cdn::ca_file_parameter,
        cdn::proxy_parameter, cdn::request_timeout_parameter, cdn::poll_parameter);
    static constexpr auto other_files = certcast::other_files(cdn::trust_store);

    void validate(certcast::Job& job) { cdn::expect_https(endpoint.name(), job[endpoint], job); }

private:
    std::unique_ptr<cdn::Domain> domain_of(const certcast::Job& job) override {
        return std::make_unique<cdn::ZoneCertificate>(
            cdn::CloudflareAccess{.zone = std::string(job[zone]),
                                  .token = job.secret(token),
                                  .endpoint = cdn::endpoint_of(job[endpoint]),
                                  .bundle_method = std::string(job[bundle_method]),
                                  .type = std::string(job[type]),
                                  .takes_over = job[takeover],
                                  .http = cdn::settings_of(job)});
    }
};

}  // namespace

CERTCAST_DEPLOYER(Cloudflare);
