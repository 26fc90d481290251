#include "plugins/probe/proof.hpp"
#include "plugins/probe/starttls.hpp"

#include <certcast/deployer.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

/// Changes nothing: looks which certificates are served. The host starts it as the proof of other
/// deployments; as a deployment of its own it watches what somebody else deploys.
class Probe {
public:
    static constexpr certcast::About about{.id = "probe",
                                           .version = "1.0.0",
                                           .name = "Check what is served over TLS",
                                           .vendor = "certcast",
                                           .needs = certcast::NETWORK};

    static constexpr auto address =
        certcast::endpoint("address").required().identity().doc("Where to connect, HOST:PORT");
    static constexpr auto server_name =
        certcast::text("server_name").identity().doc("The name that the client asks for (SNI)");
    static constexpr auto protocol =
        certcast::choice("protocol", "tls", "smtp", "imap", "pop3", "ldap", "postgres", "mysql")
            .default_to("tls")
            .doc("What is spoken before the handshake: nothing, or a protocol's request for TLS");
    static constexpr auto ocsp_staple =
        certcast::boolean("ocsp_staple")
            .default_to("false")
            .doc("A good OCSP response has to come with the handshake");
    static constexpr auto certificate = certcast::certificate_name("certificate")
                                            .required()
                                            .identity()
                                            .doc("The certificate that has to be served");
    static constexpr auto timeout =
        certcast::duration("timeout")
            .default_to("10s")
            .between(1, 3'600'000)
            .doc("How long to try again until the certificate is served");
    static constexpr auto consecutive =
        certcast::integer("consecutive")
            .default_to("1")
            .between(1, 1'000)
            .doc("How many handshakes in a row must show it: more than one behind a balancer");
    static constexpr auto checks = certcast::objects("checks", address, server_name, protocol,
                                                     certificate, timeout, consecutive, ocsp_staple)
                                       .required()
                                       .doc("The places to look at");
    static constexpr auto parameters = certcast::parameters(checks);

    void inspect(certcast::Job& job) {
        std::map<std::size_t, Seen> seen;
        for (const certcast::Object& one : job[checks]) {
            const tls::Check check = check_of(one);
            const tls::Expected expected = expected_of(job, check);
            const tls::Patience until = patience(job, one[timeout]);
            tls::Finding finding = tls::look(check, expected, until);
            for (std::int64_t i = 1; i < one[consecutive] && finding.good(); ++i) {
                finding = tls::look(check, expected, until);
            }
            job.throw_if_cancelled();
            if (!finding.good()) job.info(finding.problem);
            tell(job, check, finding);
            seen[check.certificate].add(finding, expected);
        }
        tell(job, seen);
    }

    void deploy(certcast::Job& job) {
        for (std::size_t i = 0; i < job.certificate_count(); ++i) job.changed(i, false);
    }

    void verify(certcast::Job& job) {
        std::map<std::size_t, Seen> seen;
        const std::vector<certcast::Object> all = job[checks];
        for (std::size_t i = 0; i < all.size(); ++i) {
            const tls::Check check = check_of(all[i]);
            job.progress(static_cast<std::uint32_t>(i * 1000 / all.size()),
                         "handshake with " + check.endpoint.text());
            if (job.recovering() && !job.former_sha256(check.certificate)) {
                job.info(check.endpoint.text() +
                         " is not checked: it is not known what was served before");
                continue;
            }
            const tls::Expected expected = expected_of(job, check);
            const tls::Finding finding =
                tls::look_until_served(check, expected, patience(job, all[i][timeout]),
                                       tls::Certainty{.consecutive = all[i][consecutive]});
            seen[check.certificate].add(finding, expected);
            tell(job, check, finding);
            if (finding.good()) continue;
            tell(job, seen);
            tls::throw_problem(job, finding);
        }
        tell(job, seen);
    }

private:
    /// What was seen of one certificate in all of its places.
    struct Seen {
        std::optional<std::string> leaf;
        bool good = true;

        void add(const tls::Finding& finding, const tls::Expected& expected) {
            const std::string* found = finding.leaf(expected);
            if (found != nullptr && (!leaf || !finding.good())) leaf = *found;
            good = good && finding.good();
        }
    };

    static tls::Check check_of(const certcast::Object& one) {
        return {.endpoint = one[address],
                .server_name = std::string(one[server_name].value_or("")),
                .certificate = one[certificate],
                .protocol = tls::protocol_called(one[protocol]).value_or(tls::Protocol::tls),
                .staple = one[ocsp_staple]};
    }

    static tls::Expected expected_of(const certcast::Job& job, const tls::Check& check) {
        auto expected = tls::Expected::of(job, check.certificate);
        if (!expected) throw certcast::internal_error("the former certificate is not known");
        return *std::move(expected);
    }

    static tls::Patience patience(const certcast::Job& job, std::chrono::milliseconds longest) {
        return {std::min(job.deadline(), std::chrono::steady_clock::now() + longest),
                job.cancel_fd()};
    }

    static void tell(const certcast::Job& job, const tls::Check& check,
                     const tls::Finding& finding) {
        job.output(tls::place(check), finding.good() ? "served" : finding.problem);
    }

    static void tell(const certcast::Job& job, const std::map<std::size_t, Seen>& seen) {
        for (const auto& [index, one] : seen) {
            if (one.leaf) {
                job.live(one.leaf, one.good, index, tls::not_after(*one.leaf));
            } else {
                job.live_unknown(index);
            }
        }
    }
};

}  // namespace

CERTCAST_DEPLOYER(Probe);
