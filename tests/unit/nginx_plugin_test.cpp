#include "tests/unit/plugin_world.hpp"

#include <sys/file.h>

#include <thread>

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

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
