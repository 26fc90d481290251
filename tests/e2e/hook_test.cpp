#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"
#include "tests/e2e/real_part.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Debian's ACME server for tests, which takes every challenge for solved.
class Pebble {
public:
    explicit Pebble(const Workspace& workspace)
        : folder_(workspace / "acme"), front_(make_certificate({.names = {"IP:127.0.0.1"}})) {
        workspace.folder().write("acme/front.pem", pem(front_.certificate));
        workspace.folder().write("acme/front.key", pem(front_.key));
        // Somebody may take the port between the choice and the start; then there is another.
        for (int attempt = 1; attempt <= 5; ++attempt) {
            port_ = free_port();
            const json::value config = {
                {"pebble",
                 {{"listenAddress", "127.0.0.1:" + std::to_string(port_)},
                  {"managementListenAddress", "127.0.0.1:" + std::to_string(free_port())},
                  {"certificate", trusted()},
                  {"privateKey", (folder_ / "front.key").string()},
                  {"httpPort", 1},
                  {"tlsPort", 1}}}};
            workspace.folder().write("acme/pebble.json", json::serialize(config));
            process_ = std::make_unique<Process>(
                std::vector<std::string>{"pebble", "-config", (folder_ / "pebble.json").string()},
                Environment{{"PATH", "/usr/bin:/bin"},
                            {"PEBBLE_VA_ALWAYS_VALID", "1"},
                            {"PEBBLE_VA_NOSLEEP", "1"},
                            {"PEBBLE_WFE_NONCEREJECT", "0"}});
            wait_until("pebble listens or gives up", [&] {
                return state_of(process_->pid()) == 'Z' ||
                       served_sha256(port_, "localhost") == sha256_of(front_);
            });
            if (state_of(process_->pid()) != 'Z') return;
        }
        FAIL("pebble does not start: ", process_->errors());
    }
    Pebble(const Pebble&) = delete;
    Pebble& operator=(const Pebble&) = delete;
    ~Pebble() {
        process_->signal(SIGTERM);
        process_->wait();
    }

    std::string directory() const { return "https://127.0.0.1:" + std::to_string(port_) + "/dir"; }
    std::string trusted() const { return (folder_ / "front.pem").string(); }

private:
    fs::path folder_;
    Issued front_;
    std::uint16_t port_ = 0;
    std::unique_ptr<Process> process_;
};

/// A real nginx that serves something of its own at first, a pipeline that deploys to it, and an
/// ACME server.
class Site {
public:
    Site() : nginx_(make_nginx(workspace)), pebble(workspace) {}

    /// `source`: keys of [certificate.shop]. `check`: another command to test nginx with.
    void deploys(const std::string& source, const std::string& check = {}) const {
        std::string entry = nginx_.deployment({.certificate = "shop", .check = check});
        // What pebble issues is from a test issuer, by its name.
        entry.insert(entry.find("plugin ="), "guards = { staging = \"off\" }\n");
        workspace.folder().write("pipeline.toml", "format = 1\n[certificate.shop]\n" + source +
                                                      "\n[defaults]\nretry = { attempts = 1 }\n" +
                                                      entry);
    }
    std::string pipeline() const { return (workspace / "pipeline.toml").string(); }
    /// The words of a hook, for clients that split them at spaces.
    std::string hook(const std::string& from = "auto", const std::string& more = {}) const {
        return std::string(CERTCAST_PROGRAM) + " hook --from " + from + more + " " + pipeline();
    }

    Ending run(std::vector<std::string> argv, Environment more = {}) const {
        Environment environment = workspace.environment();
        environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
        environment["REQUESTS_CA_BUNDLE"] = environment["LEGO_CA_CERTIFICATES"] = pebble.trusted();
        environment.merge(more);
        Process process(std::move(argv), environment);
        const Ending ending = process.wait(120s);
        said = process.output() + process.errors();
        return ending;
    }
    Said status() const { return workspace.say({"status", pipeline(), "--json"}); }

    std::string served() const { return nginx_.served(); }
    /// Of the first certificate in a file of the client's.
    static std::string sha256_in(const fs::path& file) {
        const std::string text = read_text(file);
        const BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        const X509Ptr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
        Sha256 digest{};
        REQUIRE(leaf);
        require(X509_digest(leaf.get(), EVP_sha256(), digest.data(), nullptr) == 1);
        return to_hex(digest);
    }
    bool serves(const fs::path& file) const { return nginx_.comes_to_serve(sha256_in(file)); }

    Workspace workspace;

private:
    static NginxServer make_nginx(const Workspace& workspace) {
        install(workspace, "edge", make_certificate({.names = {"DNS:shop.example"}}));
        return NginxServer(workspace, "edge", {"shop.example"});
    }

    NginxServer nginx_;

public:
    Pebble pebble;
    mutable std::string said;
};

const std::string email = "admin@shop.example";

}  // namespace

TEST_CASE("what certbot issues and renews is served by nginx afterwards") {
    if (!is_there("/usr/bin/certbot") || !is_there("/usr/bin/pebble")) return;
    const Site site;
    const fs::path folder = site.workspace / "certbot";
    const fs::path lineage = folder / "live/shop.example";
    site.deploys("source = \"" + lineage.string() + "\"");
    const std::vector<std::string> places{"--config-dir", folder.string(),
                                          "--work-dir",   (folder / "work").string(),
                                          "--logs-dir",   (folder / "logs").string()};
    const auto certbot = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "certbot");
        arguments.insert(arguments.end(), places.begin(), places.end());
        return site.run(std::move(arguments)).status;
    };
    const int issued = certbot({"certonly", "--standalone", "--http-01-port",
                                std::to_string(free_port()), "-d", "shop.example", "--server",
                                site.pebble.directory(), "--register-unsafely-without-email",
                                "--agree-tos", "--non-interactive", "--deploy-hook", site.hook()});
    CAPTURE(site.said);
    REQUIRE(issued == 0);
    CHECK(site.serves(lineage / "cert.pem"));
    const std::string first = site.served();
    REQUIRE(certbot({"renew", "--force-renewal", "--no-random-sleep-on-renew"}) == 0);
    CAPTURE(site.said);
    CHECK(site.serves(lineage / "cert.pem"));
    CHECK(site.served() != first);
    CHECK(site.status().status == 0);
}

TEST_CASE("what lego issues and renews is served by nginx afterwards") {
    if (!is_there("/usr/bin/lego") || !is_there("/usr/bin/pebble")) return;
    const Site site;
    const fs::path folder = site.workspace / "lego";
    const fs::path certificate = folder / "certificates/shop.example.crt";
    site.deploys("certificate = \"" + certificate.string() + "\"\nkey = \"" +
                 (folder / "certificates/shop.example.key").string() + "\"");
    const auto lego = [&](std::vector<std::string> command) {
        std::vector<std::string> argv{"lego",
                                      "--server",
                                      site.pebble.directory(),
                                      "--email",
                                      email,
                                      "--accept-tos",
                                      "--domains",
                                      "shop.example",
                                      "--http",
                                      "--http.port",
                                      "127.0.0.1:" + std::to_string(free_port()),
                                      "--path",
                                      folder.string()};
        argv.insert(argv.end(), command.begin(), command.end());
        return site.run(std::move(argv)).status;
    };
    REQUIRE(lego({"run", "--run-hook", site.hook("lego")}) == 0);
    CAPTURE(site.said);
    CHECK(site.serves(certificate));
    const std::string first = site.served();
    SUBCASE("renewed") {
        REQUIRE(lego({"renew", "--days", "9999", "--no-random-sleep", "--renew-hook",
                      site.hook()}) == 0);
        CAPTURE(site.said);
        CHECK(site.serves(certificate));
        CHECK(site.served() != first);
    }
    SUBCASE("what fails is told to lego, and nginx serves what it served") {
        site.deploys("certificate = \"" + certificate.string() + "\"\nkey = \"" +
                         (folder / "certificates/shop.example.key").string() + "\"",
                     "[\"false\"]");
        CHECK(lego({"renew", "--days", "9999", "--no-random-sleep", "--renew-hook", site.hook()}) !=
              0);
        CHECK(site.served() == first);
    }
    SUBCASE("what is queued is deployed by the next run") {
        REQUIRE(lego({"renew", "--days", "9999", "--no-random-sleep", "--renew-hook",
                      site.hook("lego", " --queue")}) == 0);
        CHECK(says(site.said, "1 deployment queued"));
        CHECK(site.served() == first);
        const Said queued = site.status();
        CHECK(queued.status == 1);
        const json::value known = queued.parsed().at(0);
        CHECK(known.at("state") == "queued");
        CHECK(std::string(known.at("wanted").as_string()) == Site::sha256_in(certificate));
        CHECK(site.run({CERTCAST_PROGRAM, "run", "--resume", site.pipeline()}).status == 0);
        CHECK(site.serves(certificate));
        CHECK(site.status().status == 0);
    }
}

TEST_CASE("what dehydrated issues is served by nginx, and what failed is tried again next time") {
    if (!is_there("/usr/bin/dehydrated") || !is_there("/usr/bin/pebble")) return;
    const Site site;
    const fs::path folder = site.workspace / "dehydrated";
    const fs::path pair = folder / "certs/shop.example";
    fs::create_directories(folder / "challenges");
    const std::string source = "source = \"" + pair.string() + "\"";
    std::ofstream(folder / "domains.txt") << "shop.example\n";
    std::ofstream(folder / "hook.sh")
        << "#!/bin/sh\nexec " << site.hook("dehydrated") << " \"$@\"\n";
    ::chmod((folder / "hook.sh").c_str(), 0755);
    std::ofstream(folder / "config")
        << "CA=\"" << site.pebble.directory() << "\"\nBASEDIR=" << folder.string()
        << "\nWELLKNOWN=" << (folder / "challenges").string()
        << "\nDOMAINS_TXT=" << (folder / "domains.txt").string()
        << "\nCHALLENGETYPE=http-01\nHOOK=" << (folder / "hook.sh").string()
        << "\nCURL_OPTS=\"--cacert " << site.pebble.trusted() << "\"\n";
    const auto dehydrated = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"dehydrated", "-f", (folder / "config").string()});
        return site.run(std::move(arguments)).status;
    };
    site.deploys(source);
    REQUIRE(dehydrated({"--register", "--accept-terms"}) == 0);
    REQUIRE(dehydrated({"--cron"}) == 0);
    CAPTURE(site.said);
    CHECK(site.serves(pair / "cert.pem"));
    const std::string first = site.served();

    site.deploys(source, "[\"false\"]");
    // Anything else would end its run, and with it the renewals of others.
    CHECK(dehydrated({"--cron", "--force"}) == 0);
    CHECK(says(site.said, "'check' ended with status 1"));
    CHECK(site.served() == first);
    CHECK(site.status().status == 1);

    site.deploys(source);
    CHECK(dehydrated({"--cron"}) == 0);
    CAPTURE(site.said);
    CHECK(says(site.said, "Skipping renew"));
    CHECK(site.serves(pair / "cert.pem"));
    CHECK(site.served() != first);

    CHECK(dehydrated({"--cron"}) == 0);
    CHECK(says(site.said, "done in run"));
}

TEST_CASE("a hook runs what deploys the certificate that it is told of, and nothing else") {
    Workspace workspace;
    workspace.issue("shop");
    workspace.issue("mail");
    fs::create_directories(workspace / "live/shop");
    fs::copy_file(workspace / "shop.pem", workspace / "live/shop/fullchain.pem");
    fs::copy_file(workspace / "shop.key", workspace / "live/shop/privkey.pem");
    const auto one = [&](const std::string& certificate) {
        return std::string(deployment(certificate, "file")
                               .table("deploy." + certificate + ".config")
                               .text("key", (workspace / (certificate + ".out")).string()));
    };
    std::string mail = one("mail");
    mail.replace(mail.find("\"shop\""), 6, "\"mail\"");
    workspace.folder().write("pipeline.toml",
                             "format = 1\n[certificate.shop]\nsource = \"" +
                                 (workspace / "live/shop").string() +
                                 "\"\n[certificate.mail]\ncertificate = \"mail.pem\"\nkey = "
                                 "\"mail.key\"\n" +
                                 one("shop") + mail);
    const std::string pipeline = (workspace / "pipeline.toml").string();
    const auto hook = [&](Environment more, std::vector<std::string> arguments) {
        Environment environment = workspace.environment();
        environment.merge(more);
        arguments.insert(arguments.begin(), {CERTCAST_PROGRAM, "hook"});
        Process process(std::move(arguments), environment);
        const int status = process.wait().status;
        return Said{status, process.output() + process.errors(), {}};
    };
    const auto wrote = [&] {
        return std::make_pair(fs::exists(workspace / "shop.out"),
                              fs::exists(workspace / "mail.out"));
    };
    const std::string shop = (workspace / "live/shop").string();
    SUBCASE("certbot's lineage, by a link to it") {
        fs::create_directory_symlink(workspace / "live", workspace / "link");
        CHECK(hook({{"RENEWED_LINEAGE", (workspace / "link/shop").string()}}, {pipeline}).status ==
              0);
        CHECK(wrote() == std::make_pair(true, false));
    }
    SUBCASE("acme.sh's files") {
        const Said said = hook({{"CERT_FULLCHAIN_PATH", shop + "/fullchain.pem"},
                                {"CERT_KEY_PATH", shop + "/privkey.pem"},
                                {"Le_Domain", "shop.example"}},
                               {"--from", "acme.sh", pipeline});
        CAPTURE(said.output);
        CHECK(said.status == 0);
        CHECK(wrote() == std::make_pair(true, false));
    }
    SUBCASE("lego's files, of version 5") {
        CHECK(hook({{"LEGO_HOOK_CERT_PATH", shop + "/fullchain.pem"}}, {pipeline}).status == 0);
        CHECK(wrote() == std::make_pair(true, false));
    }
    SUBCASE("a certificate that it does not deploy") {
        const Said said = hook({{"RENEWED_LINEAGE", "/etc/letsencrypt/live/other"}}, {pipeline});
        CHECK(said.status == 0);
        CHECK(says(said.output, "no deployment of this certificate"));
        CHECK(wrote() == std::make_pair(false, false));
    }
    SUBCASE("nobody") {
        const Said said = hook({}, {pipeline});
        CHECK(said.status == 2);
        CHECK(says(said.output, "no ACME client has called this hook"));
    }
    SUBCASE("another client than was said") {
        const Said said = hook({{"RENEWED_LINEAGE", shop}}, {"--from", "lego", pipeline});
        CHECK(said.status == 2);
        CHECK(says(said.output, "this is no hook of lego: expected LEGO_CERT_PATH"));
    }
    SUBCASE("verbs of dehydrated that are about something else") {
        for (const char* verb : {"startup_hook", "exit_hook", "deploy_challenge", "of_tomorrow"}) {
            CHECK(hook({}, {"--from", "dehydrated", pipeline, verb}).status == 0);
            CHECK(hook({}, {pipeline, verb, "shop.example", "-token", "--queue", "-h"}).status ==
                  0);
        }
        CHECK(wrote() == std::make_pair(false, false));
    }
    SUBCASE("an option where dehydrated's arguments are") {
        const Said said =
            hook({{"RENEWED_LINEAGE", shop}}, {"--from", "dehydrated", pipeline, "--queue"});
        CHECK(said.status == 2);
        CHECK(says(said.output, "--queue is behind the pipeline"));
        CHECK(hook({{"RENEWED_LINEAGE", shop}}, {pipeline, "--queue"}).status == 2);
        CHECK(wrote() == std::make_pair(false, false));
    }
    SUBCASE("acme.sh's folder, wherever it has installed the certificate") {
        const Said said =
            hook({{"Le_Domain", "shop.example"}, {"CERT_FULLCHAIN_PATH", "/etc/x.pem"}},
                 {"--from", "acme.sh", pipeline});
        CHECK(said.status == 0);
        CHECK(says(said.output, "no deployment of this certificate"));
        Environment environment = workspace.environment();
        environment["Le_Domain"] = "shop.example";
        Process process({"/bin/sh", "-c", "cd \"$1\" && exec \"$2\" hook \"$3\"", "sh", shop,
                         CERTCAST_PROGRAM, pipeline},
                        environment);
        CHECK(process.wait().status == 0);
        CHECK(wrote() == std::make_pair(true, false));
    }
    SUBCASE("a pipeline that is wrong") {
        workspace.folder().write("pipeline.toml", "format = 2\n");
        CHECK(hook({{"RENEWED_LINEAGE", shop}}, {pipeline}).status == 2);
        const Said said = hook({}, {pipeline, "deploy_cert", "shop.example", shop + "/privkey.pem",
                                    shop + "/fullchain.pem", shop + "/fullchain.pem", "", "1"});
        CHECK(said.status == 0);
        CHECK(says(said.output, "format: expected 1"));
    }
}
