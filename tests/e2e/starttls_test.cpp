#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"
#include "tests/e2e/real_part.hpp"

#include <doctest/doctest.h>
#include <openssl/ocsp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

const Environment system_paths{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};

std::string own_name() {
    const passwd* const user = ::getpwuid(geteuid() == 0 ? 65534 : geteuid());
    return user != nullptr ? user->pw_name : "nobody";
}

/// What somebody else's client gets to see.
std::string seen_by_openssl(const std::string& protocol, std::uint16_t port) {
    Process client({"openssl", "s_client", "-starttls", protocol, "-connect",
                    "127.0.0.1:" + std::to_string(port), "-verify_quiet"},
                   system_paths);
    client.wait();
    return client.output();
}

/// A real server that is told to serve a pair of files, in a folder of its own.
class Server {
public:
    using Arguments = std::function<std::vector<std::string>(const Server&)>;

    Server(const Workspace& workspace, std::string protocol)
        : folder_(workspace / "server"), protocol_(std::move(protocol)) {
        fs::create_directories(folder_);
        fs::copy_file(workspace / "shop.pem", certificate());
        fs::copy_file(workspace / "shop.key", key());
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        if (!process_) return;
        const Watch workers(descendants(process_->pid()));
        process_->signal(SIGTERM);
        process_->wait();
        workers.all_end_within(10s);
    }

    void start(const Arguments& arguments, bool has_tls = true) {
        // Somebody may take the port between the choice and the start; then there is another.
        for (int attempt = 1; attempt <= 5; ++attempt) {
            port_ = free_port();
            process_ = std::make_unique<Process>(arguments(*this), system_paths);
            wait_until("the server listens or gives up", [&] {
                return state_of(process_->pid()) == 'Z' || (has_tls ? answers() : listens());
            });
            if (state_of(process_->pid()) != 'Z') return;
        }
        FAIL("the server does not start: ", process_->errors(), process_->output());
    }

    fs::path operator/(std::string_view name) const { return folder_ / name; }
    fs::path certificate() const { return folder_ / "served.pem"; }
    fs::path key() const { return folder_ / "served.key"; }
    std::uint16_t port() const { return port_; }
    bool answers() const { return says(seen_by_openssl(protocol_, port_), "BEGIN CERTIFICATE"); }
    bool listens() const {
        Process client({"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(port_)},
                       system_paths);
        client.wait();
        return !says(client.errors(), "refused");
    }

private:
    fs::path folder_;
    std::string protocol_;
    std::uint16_t port_ = 0;
    std::unique_ptr<Process> process_;
};

std::string watch(std::uint16_t port, const std::string& protocol, const std::string& certificate) {
    return "[deploy.watch]\nplugin = \"probe\"\ncertificate = \"" + certificate +
           "\"\nprobe = false\n[[deploy.watch.config.checks]]\naddress = \"127.0.0.1:" +
           std::to_string(port) + "\"\ncertificate = \"" + certificate +
           "\"\ntimeout = \"300ms\"\nprotocol = \"" + protocol + "\"\n";
}

/// Looks at a server that has started, as a deployment of the probe's own.
void check_it_is_seen(const Workspace& workspace, const Server& server,
                      const std::string& protocol) {
    workspace.issue("other");
    const std::string head = workspace.head({"shop", "other"});
    const Run right = workspace.run(head + watch(server.port(), protocol, "shop"));
    CAPTURE(right.output);
    CHECK(right.text("watch", "status") == "unchanged");
    const Run wrong = workspace.run(head + watch(server.port(), protocol, "other"));
    CAPTURE(wrong.output);
    CHECK(wrong.text("watch", "status") == "failed");
    CHECK(says(wrong.message("watch"), "serves CN = shop.example"));
}

/// What another protocol than its own comes to: an error with words, in time.
void check_other_protocols_fail(const Workspace& workspace, const Server& server,
                                const std::string& own) {
    for (const char* protocol : {"tls", "smtp", "imap", "pop3", "ldap", "postgres", "mysql"}) {
        if (own == protocol) continue;
        // A relative of it is understood.
        CAPTURE(protocol);
        const Run run = workspace.run(workspace.head() + watch(server.port(), protocol, "shop"));
        CHECK(run.text("watch", "status") == "failed");
        CHECK(says(run.message("watch"), "127.0.0.1:"));
    }
}

void start_dovecot(Server& server, const std::string& service, const std::string& listener) {
    server.start([&](const Server& it) {
        const std::string user = own_name();
        std::string config = "base_dir = " + (it / "run").string() +
                             "\nstate_dir = " + (it / "run").string() +
                             "\nlog_path = " + (it / "log").string() +
                             "\nprotocols = imap pop3 submission\nlisten = 127.0.0.1\nssl = yes\n"
                             "ssl_cert = <" +
                             it.certificate().string() + "\nssl_key = <" + it.key().string() +
                             "\nssl_dh =\nsubmission_relay_host = 127.0.0.1\n"
                             "default_internal_user = " +
                             user + "\ndefault_login_user = " + user +
                             "\ndefault_internal_group = nogroup\n"
                             "service anvil {\n  chroot =\n}\n"
                             "passdb {\n  driver = static\n  args = nopassword=y\n}\n";
        const std::vector<std::pair<std::string, std::vector<std::string>>> services{
            {"imap", {"imap", "imaps"}},
            {"pop3", {"pop3", "pop3s"}},
            {"submission", {"submission"}}};
        for (const auto& [name, listeners] : services) {
            config += "service " + name + "-login {\n  chroot =\n";
            for (const std::string& one : listeners) {
                const bool is_wanted = name == service && one == listener;
                config += "  inet_listener " + one +
                          " {\n    port = " + std::to_string(is_wanted ? it.port() : 0) + "\n  }\n";
            }
            config += "}\n";
        }
        std::ofstream(it / "dovecot.conf") << config;
        return std::vector<std::string>{"dovecot", "-F", "-c", (it / "dovecot.conf").string()};
    });
}

/// For a server that refuses to be root: its folder and words before its program.
std::vector<std::string> as_nobody(const Server& server) {
    if (geteuid() != 0) return {};
    for (fs::path up = server / "served.key"; up != "/tmp" && up != "/"; up = up.parent_path()) {
        if (up != server.key() && up != server / "") ::chmod(up.c_str(), 0755);
    }
    for (const char* name : {"", "served.key", "served.pem"}) {
        REQUIRE(::chown((server / name).c_str(), 65534, 65534) == 0);
    }
    return {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
}

void start_postgres(Server& server, bool has_tls) {
    const fs::path version = *fs::directory_iterator("/usr/lib/postgresql");
    const std::string folder = version / "bin";
    std::vector<std::string> init = as_nobody(server);
    init.insert(init.end(),
                {folder + "/initdb", "--no-sync", "-A", "trust", "-D", (server / "data").string()});
    Process initdb(init, system_paths);
    REQUIRE_MESSAGE(initdb.wait().status == 0, initdb.errors());
    server.start(
        [&](const Server& it) {
            std::vector<std::string> argv = as_nobody(it);
            argv.insert(argv.end(),
                        {folder + "/postgres", "-D", (it / "data").string(), "-p",
                         std::to_string(it.port()), "-c", "listen_addresses=127.0.0.1", "-c",
                         "unix_socket_directories=", "-c", has_tls ? "ssl=on" : "ssl=off", "-c",
                         "ssl_cert_file=" + it.certificate().string(), "-c",
                         "ssl_key_file=" + it.key().string()});
            return argv;
        },
        has_tls);
}

constexpr long day = 86'400;

/// An issuer that answers what became of a certificate, served in FOLDER/edge with its chain.
class Authority {
public:
    explicit Authority(const Workspace& workspace)
        : workspace_(workspace),
          issuer_(workspace.issue("issuer", {.subject = "Test Issuer", .is_ca = true})),
          other_(workspace.issue("other", {.subject = "Test Issuer", .is_ca = true})),
          leaf_(make_certificate({.names = {"DNS:shop.example"}, .issuer = &issuer_})) {
        workspace.folder().write("shop.key", pem(leaf_.key));
        workspace.folder().write("leaf.pem", pem(leaf_.certificate));
        const std::string chain = pem(leaf_.certificate) + pem(issuer_.certificate);
        workspace.folder().write("shop.pem", chain);
        workspace.folder().write("edge/shop.example.crt", chain);
        workspace.folder().write("edge/shop.example.key", pem(leaf_.key));
    }

    /// OpenSSL's own responder, whose list says "V" or "R" since when.
    std::string says(const std::string& status, const std::string& since,
                     const std::string& signer = "issuer") const {
        const std::string line =
            run({"openssl", "x509", "-in", path("leaf.pem"), "-noout", "-serial"});
        const std::string serial = line.substr(std::string("serial=").size(), line.size() - 8);
        workspace_.folder().write("index.txt", status + "\t350101000000Z\t" + since + "\t" +
                                                   serial + "\tunknown\t/CN=shop.example\n");
        run({"openssl", "ocsp", "-index", path("index.txt"), "-CA", path("issuer.pem"), "-rsigner",
             path(signer + ".pem"), "-rkey", path(signer + ".key"), "-issuer", path("issuer.pem"),
             "-cert", path("leaf.pem"), "-ndays", "3", "-respout", path("response.der")});
        return read_text(workspace_ / "response.der");
    }

    /// One that is good from then to then, in seconds from now; 0: it names no end.
    std::string said(long from, long until) const {
        const std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>> basic(
            OCSP_BASICRESP_new());
        const std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>> id(
            OCSP_cert_to_id(nullptr, leaf_.certificate.get(), issuer_.certificate.get()));
        const TimePtr begin(X509_gmtime_adj(nullptr, from));
        const TimePtr end(X509_gmtime_adj(nullptr, until));
        require(OCSP_basic_add1_status(basic.get(), id.get(), V_OCSP_CERTSTATUS_GOOD, 0, nullptr,
                                       begin.get(), until == 0 ? nullptr : end.get()) != nullptr);
        require(OCSP_basic_sign(basic.get(), issuer_.certificate.get(), issuer_.key.get(),
                                EVP_sha256(), nullptr, 0) == 1);
        const std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>> response(
            OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
        unsigned char* bytes = nullptr;
        const int size = i2d_OCSP_RESPONSE(response.get(), &bytes);
        require(size > 0);
        std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
        OPENSSL_free(bytes);
        return der;
    }

private:
    using TimePtr = std::unique_ptr<ASN1_TIME, FreeWith<ASN1_TIME_free>>;

    std::string path(const std::string& name) const { return (workspace_ / name).string(); }
    static std::string run(std::vector<std::string> argv) {
        Process openssl(std::move(argv), system_paths);
        REQUIRE_MESSAGE(openssl.wait().status == 0, openssl.errors());
        return openssl.output();
    }

    const Workspace& workspace_;
    Issued issuer_;
    Issued other_;
    Issued leaf_;
};

}  // namespace

TEST_CASE("what Dovecot serves behind STARTTLS is seen") {
    if (!is_there("/usr/sbin/dovecot")) return;
    struct Row {
        const char* protocol;
        const char* service;
        const char* listener;
    };
    for (const Row& row : {Row{"imap", "imap", "imap"}, Row{"pop3", "pop3", "pop3"},
                           Row{"smtp", "submission", "submission"}}) {
        SUBCASE(row.protocol) {
            const Workspace workspace;
            workspace.issue("shop");
            Server server(workspace, row.protocol);
            start_dovecot(server, row.service, row.listener);
            check_it_is_seen(workspace, server, row.protocol);
            check_other_protocols_fail(workspace, server, row.protocol);
        }
    }
}

TEST_CASE("what OpenLDAP serves behind StartTLS is seen") {
    if (!is_there("/usr/sbin/slapd")) return;
    const Workspace workspace;
    workspace.issue("shop");
    Server server(workspace, "ldap");
    std::ofstream(server / "slapd.conf")
        << "TLSCertificateFile " << server.certificate().string() << "\nTLSCertificateKeyFile "
        << server.key().string() << "\npidfile " << (server / "pid").string() << '\n';
    server.start([](const Server& it) {
        return std::vector<std::string>{"slapd",
                                        "-h",
                                        "ldap://127.0.0.1:" + std::to_string(it.port()),
                                        "-f",
                                        (it / "slapd.conf").string(),
                                        "-d",
                                        "0"};
    });
    check_it_is_seen(workspace, server, "ldap");
    check_other_protocols_fail(workspace, server, "ldap");
}

TEST_CASE("what PostgreSQL serves is seen, and that it offers no TLS, too") {
    if (!is_there("/usr/lib/postgresql")) return;
    const Workspace workspace;
    workspace.issue("shop");
    Server server(workspace, "postgres");
    SUBCASE("with TLS") {
        start_postgres(server, true);
        check_it_is_seen(workspace, server, "postgres");
        check_other_protocols_fail(workspace, server, "postgres");
    }
    SUBCASE("without") {
        start_postgres(server, false);
        const Run run = workspace.run(workspace.head() + watch(server.port(), "postgres", "shop"));
        CHECK(says(run.message("watch"), "this PostgreSQL offers no TLS"));
    }
}

TEST_CASE("what MariaDB serves is seen") {
    if (!is_there("/usr/sbin/mariadbd")) return;
    const Workspace workspace;
    workspace.issue("shop");
    Server server(workspace, "mysql");
    fs::create_directory(server / "data");
    server.start([](const Server& it) {
        std::vector<std::string> argv{"mariadbd",
                                      "--no-defaults",
                                      "--skip-grant-tables",
                                      "--bind-address=127.0.0.1",
                                      "--datadir=" + (it / "data").string(),
                                      "--socket=" + (it / "socket").string(),
                                      "--pid-file=" + (it / "pid").string(),
                                      "--port=" + std::to_string(it.port()),
                                      "--ssl-cert=" + it.certificate().string(),
                                      "--ssl-key=" + it.key().string()};
        if (geteuid() == 0) argv.emplace_back("--user=root");
        return argv;
    });
    check_it_is_seen(workspace, server, "mysql");
    check_other_protocols_fail(workspace, server, "mysql");
}

TEST_CASE("a staple has to be there, to be of now, and to say that the certificate is good") {
    const Workspace workspace;
    const Authority authority(workspace);
    /// What nginx staples in the end; nothing where that is empty.
    const auto result = [&](const std::string& response) {
        workspace.folder().write("staple.der", response);
        const NginxServer nginx(workspace, "edge", {"shop.example"},
                                response.empty() ? ""
                                                 : "ssl_stapling on;\nssl_stapling_file " +
                                                       (workspace / "staple.der").string() + ";\n");
        const Run watched = workspace.run(workspace.head() + watch(nginx.port(), "tls", "shop") +
                                          "server_name = \"shop.example\"\nocsp_staple = true\n");
        CAPTURE(watched.output);
        return watched.status == 0 ? "good" : watched.message("watch");
    };
    CHECK(result(authority.says("V", "")) == "good");
    CHECK(says(result(""), "it staples no OCSP response"));
    CHECK(says(result(authority.says("R", "250101000000Z,keyCompromise")),
               "the OCSP response that it staples says revoked"));
    CHECK(says(result(authority.said(-4 * day, -1 * day)), "is out of date"));
    CHECK(says(result(authority.said(1 * day, 4 * day)), "is out of date"));
    CHECK(result(authority.said(-1 * day, 1 * day)) == "good");
    CHECK(result(authority.said(-1 * day, 0)) == "good");
    CHECK(says(result(authority.said(-8 * day, 0)), "is out of date"));
    CHECK(
        says(result(authority.says("V", "", "other")), "not signed for the certificate's issuer"));
}
