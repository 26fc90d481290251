#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/unit/plugin_world.hpp"

using namespace certcast;
using namespace certcast::testing;
namespace fs = std::filesystem;

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
