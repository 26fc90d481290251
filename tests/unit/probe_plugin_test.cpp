#include "tests/unit/plugin_world.hpp"

#include <thread>

using namespace certcast;
using namespace certcast::testing;

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

TEST_CASE("probe: an answer that breaks off before TLS is an error with words") {
    struct Row {
        const char* protocol;
        std::string answer;
    };
    const std::string nul(1, '\0');
    const std::vector<Row> rows = {
        {"mysql", "\x01" + nul + nul + nul + "\xff"},
        {"mysql", "\x05" + nul + nul + nul + "\xff"},
        {"mysql", "\x03" + nul + nul + nul +
                      "\x0a"
                      "5" +
                      nul},
        {"mysql", "\xff\xff\xff" + nul},
        {"ldap", "\x30"},
        {"ldap", "\x30\x84\xff\xff\xff\xff"},
        {"ldap", "\x30" + nul},
        {"ldap", "\x30\x05\x02\x01\x01\x78\xff"},
        {"postgres", "E"},
        {"postgres", ""},
        {"smtp", "220-one line\r\n220"},
        {"smtp", "554 no\r\n"},
        {"imap", "* BYE\r\n"},
        {"imap", "* OK\r\n* x\r\n"},
        {"pop3", "-ERR\r\n"},
        {"pop3", std::string(100'000, 'x')},
    };
    for (const Row& row : rows) {
        CAPTURE(row.protocol);
        CAPTURE(row.answer.substr(0, 20));
        const AcceptingServer server([&row](int client) {
            send(client, row.answer.data(), row.answer.size(), MSG_NOSIGNAL);
            shutdown(client, SHUT_WR);
            char rest[256];
            while (recv(client, rest, sizeof rest, 0) > 0) {
            }
        });
        Table check = check_at(server.address());
        check["protocol"] = row.protocol;
        Probe probe({check});
        const FakeOutcome outcome = probe.run(CERTCAST_STAGE_VERIFY);
        CHECK_FALSE(outcome.ok);
        const bool is_told =
            outcome.category == CERTCAST_NETWORK_ERROR || outcome.category == CERTCAST_REMOTE_ERROR;
        CHECK_MESSAGE(is_told, outcome.message);
        CHECK(says(outcome.message, server.address()));
    }
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
