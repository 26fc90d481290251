#include <certcast/deployer.hpp>
#include <certcast/http.hpp>

/// Keeps a certificate where an API takes it by PUT and shows it by GET.
struct Upload {
    static constexpr certcast::About about{.id = "org.example.upload",
                                           .version = "1.0.0",
                                           .name = "Upload one certificate",
                                           .needs = certcast::NETWORK};
    static constexpr auto to =
        certcast::url("url").required().identity().doc("Where the certificate is kept");
    static constexpr auto token = certcast::secret("token").required().doc("Who may change it");
    static constexpr auto parameters = certcast::parameters(to, token);
    static constexpr auto other_files =
        certcast::other_files(certcast::reads("/etc/ssl/certs"));  // whom TLS trusts

    void inspect(certcast::Job& job) {
        const certcast::http::Response now = ask(job, "GET");
        if (now.status == 404) return job.live(std::nullopt, false);
        certcast::http::expect_good(now, "reading what is there");
        job.live(certcast::first_certificate(now.body.text()), now.body == job.fullchain_pem());
    }
    void deploy(certcast::Job& job) {
        certcast::http::expect_good(ask(job, "PUT", job.fullchain_pem()), "uploading");
        job.changed();
    }

    certcast::http::Response ask(certcast::Job& job, const char* method,
                                 certcast::ByteView body = "") {
        certcast::http::Request request{.method = method, .url = std::string(job[to])};
        request.headers = {{"Authorization", "Bearer " + job.secret(token)}};
        request.body = certcast::Sensitive(body.text());
        return client.send(request, job);
    }
    certcast::http::Client client;
};
CERTCAST_DEPLOYER(Upload);
