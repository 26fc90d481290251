#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/certificate/sources.hpp"
#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_certificates.hpp"
#include "tests/unit/tls_server.hpp"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

namespace {

const certcast_deployer& plugin(const std::string& id) {
    return load_plugin(std::string(CERTCAST_PLUGIN_FOLDER) + "/" + id + ".so").deployers[0];
}

/// A certificate in the forms that the tests need.
struct Material {
    explicit Material(const CertificateWish& wish, const Issued& issuer)
        : leaf(make_certificate(wish)),
          pair{pem(leaf.certificate) + pem(issuer.certificate), pem(leaf.key)},
          bundle(load()) {}

    Issued leaf;
    PemPair pair;
    CertificateBundle bundle;

private:
    CertificateBundle load() const {
        const TemporaryFolder folder;
        auto parts = read_source(folder.write("all", pair.fullchain + pair.key), Secret());
        return std::move(CertificateBundle::from(std::move(parts.value()), {}).value());
    }
};

/// An old and a new certificate of one authority, the new one for two kinds of key.
struct World {
    Issued root = make_certificate({.subject = "Test Root", .is_ca = true});
    Issued middle =
        make_certificate({.subject = "Test Intermediate", .issuer = &root, .is_ca = true});
    Material old_one{{.names = {"DNS:shop.example"}, .issuer = &middle}, middle};
    Material new_one{{.names = {"DNS:shop.example"}, .issuer = &middle}, middle};
    Material rsa{{.names = {"DNS:shop.example"}, .issuer = &middle, .key_kind = KeyKind::rsa_2048},
                 middle};
};

const World& world() {
    static const World made;
    return made;
}

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

/// What changes when a file is written or replaced.
auto stamp_of(const fs::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return std::tuple(status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

bool says(const std::string& message, std::string_view words) {
    if (message.find(words) != std::string::npos) return true;
    MESSAGE("expected \"", std::string(words), "\" in: ", message);
    return false;
}

}  // namespace

TEST_CASE("file: the forms it writes hold what their names say, and a second run changes nothing") {
    const TemporaryFolder folder;
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    for (const char* form : {"fullchain", "certificate", "chain", "key", "combined", "pkcs12"}) {
        host.config[form] = (folder / form).string();
    }
    host.config["pkcs12_password"] = "p12";
    host.secrets["p12"] = "changeit";
    host.config["pkcs12_name"] = "shop";
    SUBCASE("as current software reads PKCS#12") {
        host.config["pkcs12_profile"] = "modern";
    }
    SUBCASE("as old software does") {
        host.config["pkcs12_profile"] = "legacy";
    }

    CHECK_FALSE(host.as_wanted());
    CHECK(host.lives.at(0).presence == CERTCAST_ABSENT);
    const FakeOutcome outcome = host.run(CERTCAST_STAGE_DEPLOY);
    CHECK(outcome.message == "");
    REQUIRE(outcome.ok);
    CHECK(host.changed.at(0));

    const Material& wanted = world().new_one;
    CHECK(text_of(folder / "fullchain") == wanted.pair.fullchain);
    CHECK(text_of(folder / "certificate") + text_of(folder / "chain") == wanted.pair.fullchain);
    CHECK(text_of(folder / "key") == wanted.pair.key);
    CHECK(text_of(folder / "combined") == wanted.pair.key + wanted.pair.fullchain);
    const auto unpacked = read_source(folder / "pkcs12", Secret("changeit"));
    REQUIRE(unpacked.has_value());
    CHECK(unpacked->certificates.size() == 2);
    CHECK(unpacked->keys.size() == 1);
    for (const char* form : {"fullchain", "certificate", "chain"}) {
        CHECK(mode_of(folder / form) == 0644);
    }
    for (const char* form : {"key", "combined", "pkcs12"}) CHECK(mode_of(folder / form) == 0600);

    CHECK(host.run(CERTCAST_STAGE_VERIFY).ok);
    CHECK(host.as_wanted());
    CHECK(host.lives.at(0).evidence == der(wanted.leaf.certificate));
}

TEST_CASE("file: what differs is seen") {
    const TemporaryFolder folder;
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    for (const char* form : {"fullchain", "key", "pkcs12"}) {
        host.config[form] = (folder / form).string();
    }
    REQUIRE(host.run(CERTCAST_STAGE_DEPLOY).ok);
    REQUIRE(host.as_wanted());
    SUBCASE("another chain") {
        folder.write("fullchain", pem(world().new_one.leaf.certificate));
    }
    SUBCASE("another key") {
        folder.write("key", world().old_one.pair.key);
    }
    SUBCASE("another mode") {
        fs::permissions(folder / "key", fs::perms(0640));
    }
    SUBCASE("no PKCS#12 at all") {
        folder.write("pkcs12", "nonsense");
    }
    SUBCASE("another certificate in the PKCS#12") {
        const auto other = world().old_one.bundle.material(CERTCAST_PKCS12);
        folder.write("pkcs12", other.value().text());
    }
    SUBCASE("another password") {
        host.config["pkcs12_password"] = "p12";
        host.secrets["p12"] = "other";
    }
    SUBCASE("a file that is gone") {
        fs::remove(folder / "key");
    }
    CHECK_FALSE(host.as_wanted());
    const FakeOutcome verified = host.run(CERTCAST_STAGE_VERIFY);
    CHECK_FALSE(verified.ok);
    CHECK(verified.category == CERTCAST_CONFLICT_ERROR);
}

TEST_CASE("file: when the command afterwards fails, everything is as it was") {
    const TemporaryFolder folder;
    folder.write("key", "old key");
    fs::permissions(folder / "key", fs::perms(0640));
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    host.config = {{"key", (folder / "key").string()},
                   {"fullchain", (folder / "fullchain").string()},
                   {"after", std::vector<std::string>{"reload"}}};
    host.inspect();
    host.command = [](const std::string&) { return std::pair(1, std::string("no such service")); };
    const FakeOutcome outcome = host.run(CERTCAST_STAGE_DEPLOY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_REMOTE_ERROR);
    CHECK(says(outcome.message, "no such service"));
    CHECK(text_of(folder / "key") == world().new_one.pair.key);

    host.command = [](const std::string&) { return std::pair(0, std::string()); };
    CHECK(host.roll_back().message == "");
    CHECK(text_of(folder / "key") == "old key");
    CHECK(mode_of(folder / "key") == 0640);
    CHECK_FALSE(fs::exists(folder / "fullchain"));
    CHECK(host.commands == std::vector<std::string>{"after", "after"});
    CHECK(host.steps.at(0).undone);
    CHECK(host.roll_back().ok);
}

TEST_CASE("file: another profile of PKCS#12 is another file") {
    const TemporaryFolder folder;
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    host.config = {{"pkcs12", (folder / "p12").string()}, {"pkcs12_profile", "modern"}};
    REQUIRE(host.run(CERTCAST_STAGE_DEPLOY).ok);
    CHECK(host.as_wanted());
    host.config["pkcs12_profile"] = "legacy";
    CHECK_FALSE(host.as_wanted());
    REQUIRE(host.run(CERTCAST_STAGE_DEPLOY).ok);
    CHECK(host.as_wanted());
}

TEST_CASE("file: of files that held different certificates none is what was there before") {
    const TemporaryFolder folder;
    folder.write("fullchain", world().old_one.pair.fullchain);
    folder.write("combined", world().rsa.pair.key + world().rsa.pair.fullchain);
    folder.write("chain", pem(world().middle.certificate));
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    host.config = {{"fullchain", (folder / "fullchain").string()}};
    CHECK_FALSE(host.as_wanted());
    CHECK(host.lives.at(0).evidence == der(world().old_one.leaf.certificate));
    host.config["combined"] = (folder / "combined").string();
    CHECK_FALSE(host.as_wanted());
    CHECK(host.lives.at(0).presence == CERTCAST_PRESENCE_UNKNOWN);
    host.config = {{"chain", (folder / "chain").string()}};
    host.inspect();
    CHECK(host.lives.at(0).presence == CERTCAST_PRESENCE_UNKNOWN);
}

TEST_CASE("file: the command afterwards is not run again where it never ran") {
    const TemporaryFolder folder;
    folder.write("key", "old key");
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    host.config = {{"key", (folder / "key").string()},
                   {"fullchain", (folder / "missing" / "fullchain").string()},
                   {"after", std::vector<std::string>{"reload"}}};
    CHECK_FALSE(host.run(CERTCAST_STAGE_DEPLOY).ok);
    CHECK(host.roll_back().message == "");
    CHECK(host.commands.empty());
}

TEST_CASE("file: nothing is switched when one of the files cannot be written") {
    const TemporaryFolder folder;
    folder.write("key", "old key");
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    host.config = {{"key", (folder / "key").string()},
                   {"fullchain", (folder / "missing" / "fullchain").string()}};
    const FakeOutcome outcome = host.run(CERTCAST_STAGE_DEPLOY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
    CHECK(says(outcome.message, (folder / "missing").string()));
    CHECK(text_of(folder / "key") == "old key");
    CHECK(host.roll_back().ok);
}

TEST_CASE("file: mistakes in the configuration are found offline") {
    FakeHost host(plugin("file"));
    host.add("shop", world().new_one.bundle);
    std::string expected;
    SUBCASE("no file") {
        expected = "no file to write is named";
    }
    SUBCASE("one path twice") {
        host.config = {{"key", "/tmp/x"}, {"fullchain", "/tmp/x"}};
        expected = "/tmp/x is also the path of 'fullchain'";
    }
    SUBCASE("a password for nothing") {
        host.config = {{"key", "/tmp/x"}, {"pkcs12_password", "p12"}};
        expected = "'pkcs12' names none";
    }
    CHECK(host.run(CERTCAST_STAGE_VALIDATE).ok);
    REQUIRE(host.findings.size() == 1);
    CHECK(says(host.findings[0].text, expected));
}

namespace {

/// A fake nginx: serves what its two files hold, once it is told to.
struct Site {
    TemporaryFolder folder;
    fs::path crt = folder.write("shop.crt", world().old_one.pair.fullchain);
    fs::path key = folder.write("shop.key", world().old_one.pair.key);
    fs::path config = folder.write("nginx.conf", "");
    TlsServer server{{world().old_one.pair}};
    FakeHost host{plugin("nginx")};
    int reloads = 0;
    bool checks_out = true;

    Site() {
        fs::permissions(crt, fs::perms(0644));
        host.add("shop", world().new_one.bundle);
        host.config = {{"files", std::vector<Table>{{{"certificate", "shop"},
                                                     {"fullchain", crt.string()},
                                                     {"key", key.string()},
                                                     {"address", server.address()},
                                                     {"server_name", "shop.example"}}}},
                       {"config", config.string()},
                       {"check", std::vector<std::string>{"nginx", "-t"}},
                       {"reload", std::vector<std::string>{"nginx", "-s", "reload"}}};
        host.command = [this](const std::string& param) { return command(param); };
    }
    std::pair<int, std::string> command(const std::string& param) {
        const std::vector<PemPair> pairs{{text_of(crt), text_of(key)}};
        if (param == "check") {
            if (!checks_out || !make_context(pairs)) return {1, "nginx: [emerg] key mismatch"};
            return {0, ""};
        }
        ++reloads;
        return {server.serve(pairs) ? 0 : 1, ""};
    }
    void check_old_files() const {
        CHECK(text_of(crt) == world().old_one.pair.fullchain);
        CHECK(text_of(key) == world().old_one.pair.key);
    }
};

}  // namespace

TEST_CASE("nginx: a pair is switched, checked, loaded and proven, and then stays") {
    Site site;
    CHECK_FALSE(site.host.as_wanted());
    CHECK(site.host.lives.at(0).evidence == der(world().old_one.leaf.certificate));
    const FakeOutcome outcome = site.host.run(CERTCAST_STAGE_DEPLOY);
    CHECK(outcome.message == "");
    REQUIRE(outcome.ok);
    CHECK(site.host.commands == std::vector<std::string>{"check", "reload"});
    site.server.serve_for(world().old_one.pair, 2, 1);  // an old worker that still listens
    const int before = site.server.handshakes();
    CHECK(site.host.run(CERTCAST_STAGE_VERIFY).message == "");
    CHECK(site.host.lives.at(0).as_wanted);
    CHECK(site.server.handshakes() > before + 4);
    CHECK(site.server.server_name() == "shop.example");
    CHECK(text_of(site.key) == world().new_one.pair.key);
    CHECK(mode_of(site.key) == 0600);
    const auto stamp = stamp_of(site.crt);
    CHECK(site.host.as_wanted());
    CHECK(stamp_of(site.crt) == stamp);
}

TEST_CASE("nginx: right files that were never loaded are not as wanted") {
    Site site;
    site.folder.write("shop.crt", world().new_one.pair.fullchain);
    site.folder.write("shop.key", world().new_one.pair.key);
    fs::permissions(site.crt, fs::perms(0644));
    CHECK_FALSE(site.host.as_wanted());
    REQUIRE(site.server.serve({world().new_one.pair}));
    CHECK(site.host.as_wanted());
}

TEST_CASE("nginx: what it refuses is taken back before anyone reloads") {
    Site site;
    site.host.inspect();
    site.checks_out = false;
    const FakeOutcome outcome = site.host.run(CERTCAST_STAGE_DEPLOY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
    CHECK(outcome.retry == CERTCAST_RETRY_NEVER);
    CHECK(says(outcome.message, "nginx: [emerg] key mismatch"));
    site.check_old_files();
    // Its configuration stays broken for another reason, which is no matter of this deployment.
    CHECK(site.host.roll_back().message == "");
    CHECK(site.reloads == 0);
    site.check_old_files();
}

TEST_CASE("nginx: what is not served is rolled back and loaded again") {
    Site site;
    site.host.inspect();
    site.host.timeout = std::chrono::milliseconds(80);
    REQUIRE(site.host.run(CERTCAST_STAGE_DEPLOY).ok);
    REQUIRE(site.server.serve({world().old_one.pair}));
    const FakeOutcome outcome = site.host.run(CERTCAST_STAGE_VERIFY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_REMOTE_ERROR);
    CHECK(says(outcome.message, site.server.address() + " as shop.example serves CN = shop.exam"));
    CHECK(says(outcome.message, "expected shop (CN = shop.example, sha256 "));
    site.host.timeout = std::chrono::seconds(10);
    CHECK(site.host.roll_back().message == "");
    CHECK(site.reloads == 2);
    site.check_old_files();
}

TEST_CASE("nginx: killed between switch and reload, the rollback makes sure of what is loaded") {
    Site site;
    fs::remove(site.crt);
    fs::remove(site.key);
    site.host.inspect();
    REQUIRE(site.host.run(CERTCAST_STAGE_DEPLOY).ok);
    REQUIRE(site.host.steps.size() == 2);
    site.host.steps.pop_back();  // it died before it said that it would reload
    site.host.command = [&](const std::string& param) {
        return param == "check" ? std::pair(0, std::string()) : (++site.reloads, std::pair(0, ""));
    };
    CHECK(site.host.roll_back().message == "");
    CHECK_FALSE(fs::exists(site.crt));
    CHECK_FALSE(fs::exists(site.key));
    CHECK(site.reloads == 2);
    CHECK(site.host.roll_back().ok);
    CHECK(site.reloads == 2);
}

TEST_CASE("nginx: a reload that a rollback came to owe is made good by the next one") {
    Site site;
    site.host.inspect();
    REQUIRE(site.host.run(CERTCAST_STAGE_DEPLOY).ok);
    site.host.steps.pop_back();  // it died before it said that it would reload
    site.host.command = [&](const std::string& param) {
        return param == "reload" ? std::pair(1, std::string("busy")) : site.command(param);
    };
    CHECK(says(site.host.roll_back().message, "busy"));
    site.check_old_files();
    site.reloads = 0;
    site.host.command = [&](const std::string& param) { return site.command(param); };
    CHECK(site.host.roll_back().message == "");
    CHECK(site.reloads == 1);
    CHECK(site.host.roll_back().ok);
    CHECK(site.reloads == 1);
}

TEST_CASE("nginx: a check that could not be made leaves undoing to the rollback, reload included") {
    Site site;
    site.host.inspect();
    site.host.command = [&](const std::string& param) -> std::pair<int, std::string> {
        if (param == "check") throw std::runtime_error("nobody answers");
        return site.command(param);
    };
    CHECK_FALSE(site.host.run(CERTCAST_STAGE_DEPLOY).ok);
    // Somebody else's reload has met the new files.
    REQUIRE(site.server.serve({world().new_one.pair}));
    site.host.command = [&](const std::string& param) { return site.command(param); };
    CHECK(site.host.roll_back().message == "");
    CHECK(site.reloads == 1);
    site.check_old_files();
}

TEST_CASE("nginx: pairs that held different certificates have no former one") {
    Site site;
    const fs::path other = site.folder.write("other.crt", world().rsa.pair.fullchain);
    const fs::path other_key = site.folder.write("other.key", world().rsa.pair.key);
    auto& pairs = std::get<std::vector<Table>>(site.host.config["files"]);
    pairs.push_back(pairs[0]);
    pairs[1]["fullchain"] = other.string();
    pairs[1]["key"] = other_key.string();
    CHECK_FALSE(site.host.as_wanted());
    CHECK(site.host.lives.at(0).presence == CERTCAST_PRESENCE_UNKNOWN);
    fs::remove(other);
    site.host.inspect();
    CHECK(site.host.lives.at(0).presence == CERTCAST_PRESENCE_UNKNOWN);
    pairs.pop_back();
    site.host.inspect();
    CHECK(site.host.lives.at(0).evidence == der(world().old_one.leaf.certificate));
}

TEST_CASE("nginx: a reload that met somebody else's half-switched pair is repeated") {
    Site site;
    int refusals = 1;
    SUBCASE("once") {}
    SUBCASE("and only once") {
        refusals = 2;
    }
    site.host.command = [&](const std::string& param) {
        if (param == "reload" && refusals-- > 0) return std::pair(1, std::string("mismatch"));
        return site.command(param);
    };
    const bool gives_up = refusals == 2;
    const FakeOutcome outcome = site.host.run(CERTCAST_STAGE_DEPLOY);
    CHECK(outcome.ok != gives_up);
    CHECK(site.host.commands == std::vector<std::string>{"check", "reload", "reload"});
    if (gives_up) CHECK(says(outcome.message, "mismatch"));
}

TEST_CASE("nginx: it waits for others that switch files of the same nginx, until it has to stop") {
    Site site;
    const int other = open(site.config.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(flock(other, LOCK_EX) == 0);
    site.host.cancel(CERTCAST_CANCEL_DEADLINE);
    const FakeOutcome outcome = site.host.run(CERTCAST_STAGE_DEPLOY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_TIMEOUT_ERROR);
    CHECK(site.host.steps.empty());
    site.check_old_files();
    close(other);
}

TEST_CASE("nginx: mistakes in the configuration are found offline") {
    Site site;
    auto& pairs = std::get<std::vector<Table>>(site.host.config["files"]);
    std::string path;
    SUBCASE("a path twice") {
        pairs[0]["key"] = pairs[0]["fullchain"];
        path = "files[0].key";
    }
    SUBCASE("a certificate that goes nowhere") {
        site.host.add("mail", world().rsa.bundle);
        path = "files";
    }
    CHECK(site.host.run(CERTCAST_STAGE_VALIDATE).ok);
    REQUIRE(site.host.findings.size() == 1);
    CHECK(site.host.findings[0].path == path);
    CHECK(site.host.findings[0].severity == CERTCAST_ERROR);
}

namespace {

Table check_at(const std::string& address, const std::string& certificate = "shop",
               const std::string& timeout = "80ms") {
    return {{"address", address},
            {"server_name", "shop.example"},
            {"certificate", certificate},
            {"timeout", timeout}};
}

/// The probe, told to look for the new certificate in these places.
struct Probe : FakeHost {
    explicit Probe(std::vector<Table> checks) : FakeHost(plugin("probe")) {
        add("shop", world().new_one.bundle);
        config["checks"] = std::move(checks);
    }
};

}  // namespace

TEST_CASE("probe: sees what is served and says what was expected") {
    TlsServer server({world().new_one.pair});
    Probe probe({check_at(server.address())});
    SUBCASE("the right certificate") {
        CHECK(probe.as_wanted());
        CHECK(probe.run(CERTCAST_STAGE_VERIFY).message == "");
        CHECK(probe.lives.at(0).not_after > 1'700'000'000);
        CHECK(server.server_name() == "shop.example");
        CHECK(probe.run(CERTCAST_STAGE_DEPLOY).ok);
        CHECK_FALSE(probe.changed.at(0));
    }
    SUBCASE("another certificate") {
        REQUIRE(server.serve({world().old_one.pair}));
        CHECK_FALSE(probe.as_wanted());
        CHECK(probe.lives.at(0).evidence == der(world().old_one.leaf.certificate));
        const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
        CHECK(outcome.category == CERTCAST_REMOTE_ERROR);
        CHECK(says(outcome.message, server.address() + " as shop.example serves CN = shop.exam"));
        CHECK(says(outcome.message, "; expected shop (CN = shop.example, sha256 "));
        CHECK(probe.lives.at(0).evidence == der(world().old_one.leaf.certificate));
    }
    SUBCASE("the right leaf without its chain") {
        REQUIRE(server.serve({{pem(world().new_one.leaf.certificate), world().new_one.pair.key}}));
        CHECK_FALSE(probe.as_wanted());
        const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
        CHECK(says(outcome.message, "not its chain: no intermediates; expected CN = Test Interm"));
    }
    SUBCASE("the root on top of it") {
        REQUIRE(server.serve({{world().new_one.pair.fullchain + pem(world().root.certificate),
                               world().new_one.pair.key}}));
        CHECK_FALSE(probe.run(CERTCAST_STAGE_VERIFY).ok);
    }
}

TEST_CASE("probe: tries again until it is served, as often in a row as it should be") {
    TlsServer server({world().new_one.pair});
    server.serve_for(world().old_one.pair, 2);
    Probe probe({check_at(server.address(), "shop", "10s")});
    std::get<std::vector<Table>>(probe.config["checks"])[0]["consecutive"] = "3";
    CHECK(probe.run(CERTCAST_STAGE_VERIFY).message == "");
    CHECK(server.handshakes() == 5);
}

TEST_CASE("probe: once is not enough to find it unchanged where it takes several in a row") {
    TlsServer server({world().new_one.pair});
    server.serve_for(world().old_one.pair, 1, 1);
    Probe probe({check_at(server.address(), "shop", "10s")});
    CHECK(probe.as_wanted());
    server.serve_for(world().old_one.pair, 1, 1);
    std::get<std::vector<Table>>(probe.config["checks"])[0]["consecutive"] = "3";
    CHECK_FALSE(probe.as_wanted());
    CHECK(probe.as_wanted());
}

TEST_CASE("probe: a place where nothing answers is a fact in inspect and an error in verify") {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    Probe probe({check_at("127.0.0.1:" + std::to_string(ntohs(address.sin_port)))});
    std::uint32_t category = 0;
    std::string words;
    SUBCASE("because nobody listens") {
        category = CERTCAST_NETWORK_ERROR;
        words = "Connection refused; expected shop";
    }
    SUBCASE("because it never answers") {
        REQUIRE(listen(listener, 8) == 0);
        category = CERTCAST_TIMEOUT_ERROR;
        words = "no answer in time; expected shop";
    }
    CHECK(probe.inspect().ok);
    CHECK(probe.lives.at(0).presence == CERTCAST_PRESENCE_UNKNOWN);
    CHECK_FALSE(probe.lives.at(0).as_wanted);
    REQUIRE(probe.logs.size() == 1);
    const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == category);
    CHECK(says(outcome.message, words));
    close(listener);
}

TEST_CASE("probe: stops at once when it is asked to") {
    TlsServer server({world().old_one.pair});
    Probe probe({check_at(server.address(), "shop", "1h")});
    probe.timeout = std::chrono::hours(1);
    std::thread canceller([&] {
        while (server.handshakes() == 0) std::this_thread::yield();
        probe.cancel(CERTCAST_CANCEL_USER);
    });
    const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
    canceller.join();
    CHECK(outcome.category == CERTCAST_CANCELLED_ERROR);
    CHECK(says(outcome.message, "serves CN = shop.example"));
}

TEST_CASE("probe: RSA and ECDSA of one server are asked for separately") {
    TlsServer server({world().new_one.pair, world().rsa.pair});
    Probe probe({check_at(server.address()), check_at(server.address(), "shop-rsa")});
    probe.add("shop-rsa", world().rsa.bundle);
    CHECK(probe.as_wanted());
    CHECK(probe.run(CERTCAST_STAGE_VERIFY).message == "");
    CHECK(probe.lives.at(0).evidence == der(world().new_one.leaf.certificate));
    CHECK(probe.lives.at(1).evidence == der(world().rsa.leaf.certificate));
    REQUIRE(server.serve({world().new_one.pair, world().rsa.pair}));
    REQUIRE(server.serve({world().new_one.pair}));
    const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
    CHECK_FALSE(outcome.ok);
    CHECK(probe.lives.at(0).as_wanted);
}

TEST_CASE("probe: one place out of two is not enough") {
    TlsServer right({world().new_one.pair});
    TlsServer wrong({world().old_one.pair});
    Probe probe({check_at(right.address()), check_at(wrong.address())});
    CHECK_FALSE(probe.as_wanted());
    CHECK(probe.lives.at(0).evidence == der(world().old_one.leaf.certificate));
    CHECK(says(probe.run(CERTCAST_STAGE_VERIFY).message, wrong.address()));
}

TEST_CASE("probe: after a rollback it is the former certificate that counts") {
    TlsServer server({world().old_one.pair});
    Probe probe({check_at(server.address())});
    probe.inspect();
    probe.flags = CERTCAST_JOB_RECOVERING;
    CHECK(probe.run(CERTCAST_STAGE_VERIFY).message == "");
    REQUIRE(server.serve({world().new_one.pair}));
    const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
    CHECK_FALSE(outcome.ok);
    CHECK(says(outcome.message, "expected the former shop (sha256 "));
    probe.former.clear();
    CHECK(probe.run(CERTCAST_STAGE_VERIFY).ok);
}
