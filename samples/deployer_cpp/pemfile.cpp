#include <certcast/deployer.hpp>

struct PemFile {
    static constexpr certcast::About about{.id = "org.example.pemfile",
                                           .version = "1.0.0",
                                           .name = "Write one PEM file",
                                           .needs = certcast::KEY};
    static constexpr auto file = certcast::path("file").required().writes().identity().doc(
        "Where to write key and full chain");
    static constexpr auto parameters = certcast::parameters(file);

    void inspect(certcast::Job& job) {
        const certcast::FileImage now = certcast::read_file(job[file]);  // missing: an answer
        job.live(certcast::first_certificate(now.text()),
                 now.mode == 0600 && now.contents == wanted(job));
    }
    void deploy(certcast::Job& job) {
        job.step("replace", certcast::read_file(job[file]));  // durable before the write
        certcast::write_file(job[file], wanted(job), 0600);
        job.changed();
    }
    void rollback(certcast::Job& job) { certcast::restore_file(job[file], job.steps().front()); }
    certcast::Sensitive wanted(certcast::Job& job) { return job.key_pem() + job.fullchain_pem(); }
};
CERTCAST_DEPLOYER(PemFile);
