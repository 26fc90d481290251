#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"
#include "tests/unit/accepting_server.hpp"
#include "tests/unit/fake_host.hpp"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <certcast/deployer.hpp>
#include <certcast/http.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

using namespace certcast::testing;
namespace http = certcast::http;

namespace {

/// Does in its stage what a test wants it to.
struct Calling {
    static constexpr certcast::About about{
        .id = "org.example.calling", .version = "1", .name = "Of the tests"};
    static std::function<void(const certcast::Job&)>& act() {
        static std::function<void(const certcast::Job&)> function;
        return function;
    }
    void deploy(certcast::Job& job) { act()(job); }
};

/// A stage that sends requests.
class Caller {
public:
    FakeHost host{certcast::plugin_of<Calling>().deployers[0]};
    http::Response response;  ///< the latest

    FakeOutcome does(std::function<void(const certcast::Job&)> act) {
        Calling::act() = std::move(act);
        return host.run(CERTCAST_STAGE_DEPLOY);
    }
    FakeOutcome sends(const http::Settings& settings, const http::Request& request) {
        response = {};
        return does([&](const certcast::Job& job) {
            http::Client client(settings);
            response = client.send(request, job);
        });
    }
    FakeOutcome gets(const http::Settings& settings, const std::string& url) {
        return sends(settings, {.url = url});
    }
    std::string log() const {
        std::string text;
        for (const std::string& line : host.logs) text += line + "\n";
        return text;
    }
};

/// A server that takes in one request after the other and answers as a test wants, without TLS.
class RawServer {
public:
    explicit RawServer(std::function<void(int)> answer)
        : server_([this, answer = std::move(answer)](int client) {
              received_ = request_from(client);
              answer(client);
          }) {}
    explicit RawServer(const std::string& answer)
        : RawServer([answer](int client) { send_all(client, answer); }) {}

    std::string url() const { return "http://" + server_.address() + "/path"; }
    std::string address() const { return server_.address(); }
    const std::string& received() const { return received_; }

    static void send_all(int client, const std::string& text) {
        ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    }

private:
    /// Its head, and as much of a body as it announces.
    static std::string request_from(int client) {
        std::string text;
        std::size_t wanted = std::string::npos;
        for (char buffer[4096]; text.size() < wanted;) {
            const ssize_t got = ::recv(client, buffer, sizeof buffer, 0);
            if (got <= 0) break;
            text.append(buffer, static_cast<std::size_t>(got));
            const std::size_t head = text.find("\r\n\r\n");
            if (head == std::string::npos) continue;
            const std::size_t length = text.find("Content-Length: ");
            wanted = head + 4 + (length < head ? std::stoul(text.substr(length + 16)) : 0);
        }
        return text;
    }

    std::string received_;
    AcceptingServer server_;
};

const http::Settings plain{.allows_plain = true};

std::string answer_with(const std::string& status, const std::string& headers = {}) {
    return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: 0\r\n\r\n";
}

/// nginx under two names, each with a certificate of its own, of which one has expired.
class Site {
public:
    Site() {
        const std::vector<std::string> hosts{"shop.example", "expired.example"};
        install(workspace_, "site",
                workspace_.issue("shop", {.names = {"DNS:shop.example", "IP:127.0.0.1"}}),
                hosts[0]);
        install(
            workspace_, "site",
            workspace_.issue("expired",
                             {.names = {"DNS:expired.example"}, .begins_in = -48h, .ends_in = -1h}),
            hosts[1]);
        server_.emplace(
            workspace_, "site", hosts,
            "location /fine { return 200 '$http_host $connection'; }\n"
            "location /there { return 302 /fine; }\n"
            "location /loop { return 302 /loop; }\n"
            "location /elsewhere { return 302 https://other.example/secret?token=1; }\n");
    }
    http::Settings settings() const { return {.ca_pem = pem(workspace_.authority().certificate)}; }
    std::string url(const std::string& path) const {
        return "https://" + server().address() + path;
    }
    const NginxServer& server() const { return *server_; }

private:
    Workspace workspace_;
    std::optional<NginxServer> server_;
};

}  // namespace

TEST_CASE("a server is whom it should be, or nothing is asked of it") {
    const Site site;
    Caller caller;
    http::Settings settings = site.settings();
    SUBCASE("which it is") {
        const FakeOutcome outcome = caller.gets(settings, site.url("/fine"));
        CAPTURE(outcome.message);
        REQUIRE(outcome.ok);
        CHECK(caller.response.status == 200);
        CHECK(caller.response.body.text().starts_with(site.server().address()));
        CHECK(caller.response.header("server").value_or("").starts_with("nginx"));
        return;
    }
    SUBCASE("by another name than it is called by") {
        settings.server_name = "shop.example";
        REQUIRE(caller.gets(settings, site.url("/fine")).ok);
        CHECK(caller.response.body.text().starts_with(site.server().address()));
        return;
    }
    std::string why;
    SUBCASE("issued by nobody who is trusted") {
        settings.ca_pem.clear();
        why = "unable to get local issuer certificate";
    }
    SUBCASE("for another name") {
        settings.server_name = "other.example";
        why = "does not match target host name";
    }
    SUBCASE("expired") {
        settings.server_name = "expired.example";
        why = "certificate has expired";
    }
    SUBCASE("without TLS") {
        const RawServer server(answer_with("200 OK"));
        const FakeOutcome outcome = caller.gets(settings, server.url());
        CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
        CHECK(server.received().empty());
        return;
    }
    const FakeOutcome outcome = caller.gets(settings, site.url("/fine"));
    CAPTURE(outcome.message);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
    CHECK(outcome.message.find(why) != std::string::npos);
    CHECK(outcome.message.find(site.url("/fine")) != std::string::npos);
}

TEST_CASE("a client shows its certificate") {
    Workspace workspace;
    install(workspace, "site", workspace.issue("server", {.names = {"IP:127.0.0.1"}}));
    const Issued own = workspace.issue("own", {.names = {"DNS:client.example"}});
    workspace.folder().write("site/ca.pem", pem(workspace.authority().certificate));
    const NginxServer server(workspace, "site", {"shop.example"},
                             "ssl_verify_client optional;\nssl_client_certificate " +
                                 (workspace / "site/ca.pem").string() +
                                 ";\nlocation / { return 200 $ssl_client_verify; }\n");
    http::Settings settings{.ca_pem = pem(workspace.authority().certificate)};
    Caller caller;
    REQUIRE(caller.gets(settings, "https://" + server.address() + "/").ok);
    CHECK(caller.response.body == "NONE");
    settings.certificate_pem = pem(own.certificate);
    settings.key_pem = certcast::Sensitive(pem(own.key));
    REQUIRE(caller.gets(settings, "https://" + server.address() + "/").ok);
    CHECK(caller.response.body == "SUCCESS");
    // One that wants a passphrase.
    BIO* const out = BIO_new(BIO_s_mem());
    REQUIRE(PEM_write_bio_PKCS8PrivateKey(out, own.key.get(), EVP_aes_256_cbc(), "word", 4, nullptr,
                                          nullptr) == 1);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out, &text);
    settings.key_pem = certcast::Sensitive(std::string_view(text, static_cast<std::size_t>(size)));
    BIO_free(out);
    CHECK(caller.gets(settings, "https://" + server.address() + "/").category ==
          CERTCAST_CONFIG_ERROR);
    settings.key_pem = certcast::Sensitive("no key");
    CHECK(caller.gets(settings, "https://" + server.address() + "/").category ==
          CERTCAST_CONFIG_ERROR);
}

TEST_CASE("a connection is kept for what comes next") {
    const Site site;
    Caller caller;
    std::vector<std::string> connections;
    const FakeOutcome outcome = caller.does([&](const certcast::Job& job) {
        http::Client client(site.settings());
        for (int i = 0; i < 3; ++i) {
            const http::Response response = client.send({.url = site.url("/fine")}, job);
            connections.emplace_back(response.body.text());
        }
    });
    REQUIRE(outcome.ok);
    CHECK(connections[0] == connections[1]);
    CHECK(connections[1] == connections[2]);
}

TEST_CASE("a redirect is followed where nothing of it could reach anybody else") {
    const Site site;
    Caller caller;
    http::Settings settings = site.settings();
    for (const char* name : {"", "shop.example"}) {
        settings.server_name = name;
        REQUIRE(caller.gets(settings, site.url("/there")).ok);
        CHECK(caller.response.status == 200);
    }

    const auto refused = [&](const http::Request& request, const std::string& why) {
        const FakeOutcome outcome = caller.sends(site.settings(), request);
        CAPTURE(outcome.message);
        CHECK(outcome.category == CERTCAST_REMOTE_ERROR);
        CHECK(outcome.retry == CERTCAST_RETRY_NEVER);
        CHECK(outcome.message.find(why) != std::string::npos);
        CHECK(outcome.message.find("token=1") == std::string::npos);
    };
    refused({.url = site.url("/loop")}, "and so on");
    refused({.url = site.url("/elsewhere")}, "https://other.example/secret?.., which is another");
    refused({.method = "POST", .url = site.url("/there")}, "followed for GET and HEAD alone");
}

TEST_CASE("an answer that is none is told as what it is") {
    Caller caller;
    std::string answer;
    std::uint32_t category = CERTCAST_NETWORK_ERROR;
    std::string why;
    SUBCASE("cut off") {
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
        why = "95 bytes remaining to read";
    }
    SUBCASE("none at all") {
        why = "Empty reply from server";
    }
    SUBCASE("of another protocol") {
        answer = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
        category = CERTCAST_CONFIG_ERROR;
        why = "HTTP/0.9";
    }
    SUBCASE("larger than it may be") {
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'x');
        category = CERTCAST_REMOTE_ERROR;
        why = "the answer is larger than 99 bytes";
    }
    SUBCASE("larger than it may be, and does not say so") {
        answer = "HTTP/1.1 200 OK\r\n\r\n" + std::string(100'000, 'x');
        category = CERTCAST_REMOTE_ERROR;
        why = "the answer is larger than 99 bytes";
    }
    SUBCASE("headers without end") {
        answer = "HTTP/1.1 200 OK\r\n";
        for (int i = 0; i < 2000; ++i) answer += "X-Header: value\r\n";
        why = "Failed writing header";
        category = CERTCAST_NETWORK_ERROR;
    }
    const RawServer server(answer);
    http::Settings settings = plain;
    settings.largest_answer = 99;
    const FakeOutcome outcome = caller.gets(settings, server.url());
    CAPTURE(outcome.message);
    CHECK_FALSE(outcome.ok);
    CHECK(outcome.category == category);
    CHECK(outcome.message.find(why) != std::string::npos);
}

TEST_CASE("what is to be sent only once is sent where nothing was sent before") {
    const Site site;
    Caller caller;
    std::vector<std::string> connections;
    const FakeOutcome outcome = caller.does([&](const certcast::Job& job) {
        http::Client client(site.settings());
        for (const bool only_once : {false, true}) {
            const http::Response response =
                client.send({.url = site.url("/fine"), .only_once = only_once}, job);
            connections.emplace_back(response.body.text());
        }
    });
    CAPTURE(outcome.message);
    REQUIRE(outcome.ok);
    CHECK(connections[0] != connections[1]);
}

TEST_CASE("a connection that is reset is told") {
    Caller caller;
    const RawServer server([](int client) {
        const linger at_once{1, 0};
        ::setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    });
    const FakeOutcome outcome = caller.gets(plain, server.url());
    CHECK(outcome.category == CERTCAST_NETWORK_ERROR);
    CHECK(outcome.message.find("reset") != std::string::npos);
    CHECK(caller.gets(plain, "http://127.0.0.1:" + std::to_string(free_port())).category ==
          CERTCAST_NETWORK_ERROR);
}

/// Sends a little now and then, until nobody listens any more.
void drip(int client) {
    std::string piece = "HTTP/1.1 200 OK\r\n\r\n";
    char byte = 0;
    const timeval pause{.tv_sec = 0, .tv_usec = 10'000};
    ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    while (::send(client, piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
        if (::recv(client, &byte, 1, 0) == 0) return;
        piece = "x";
    }
}

TEST_CASE("a server that takes its time is given what the stage has") {
    Caller caller;
    caller.host.timeout = std::chrono::milliseconds(300);
    SUBCASE("it says nothing") {
        const RawServer server([](int client) {
            char byte = 0;
            (void)::recv(client, &byte, 1, 0);
        });
        CHECK(caller.gets(plain, server.url()).category == CERTCAST_TIMEOUT_ERROR);
    }
    SUBCASE("it never comes to an end") {
        const RawServer server(drip);
        CHECK(caller.gets(plain, server.url()).category == CERTCAST_TIMEOUT_ERROR);
    }
}

TEST_CASE("a request ends when its stage is to end") {
    Caller caller;
    caller.host.timeout = std::chrono::minutes(5);
    const RawServer server([&](int client) {
        caller.host.cancel(CERTCAST_CANCEL_USER);
        char byte = 0;
        (void)::recv(client, &byte, 1, 0);  // until it is gone
    });
    CHECK(caller.gets(plain, server.url()).category == CERTCAST_CANCELLED_ERROR);
}

TEST_CASE("a request may be given less time than its stage") {
    Caller caller;
    caller.host.timeout = std::chrono::minutes(5);
    const RawServer server([](int client) {
        char byte = 0;
        while (::recv(client, &byte, 1, 0) > 0) continue;  // until it is gone
    });
    http::Settings hasty = plain;
    hasty.longest_request = std::chrono::milliseconds(200);
    CHECK(caller.gets(hasty, server.url()).category == CERTCAST_TIMEOUT_ERROR);
}

TEST_CASE("a part of a URL is encoded") {
    CHECK(http::encoded("a=b,c in (d)") == "a%3Db%2Cc%20in%20%28d%29");
    CHECK(http::encoded("as-it_is.~") == "as-it_is.~");
    CHECK(http::encoded("").empty());
}

TEST_CASE("what is sent is what was said, and the log does not show what is secret") {
    Caller caller;
    const RawServer server(
        "HTTP/1.1 201 Created\r\nSet-Cookie: s3cret\r\nX-Request-Id: 17\r\nContent-Length: "
        "6\r\n\r\n"
        "s3cret");
    http::Request request{.method = "PATCH", .url = server.url() + "?signature=s3cret"};
    request.headers = {{"Authorization", "Bearer s3cret"},
                       {"X-Auth-Token", "s3cret"},
                       {"Content-Type", "application/json"}};
    request.body = certcast::Sensitive("{\"key\": \"s3cret\"}");
    REQUIRE(caller.sends(plain, request).ok);
    CHECK(caller.response.status == 201);
    CHECK(caller.response.body == "s3cret");
    CHECK(server.received().starts_with("PATCH /path?signature=s3cret HTTP/1.1\r\n"));
    CHECK(server.received().find("Authorization: Bearer s3cret\r\n") != std::string::npos);
    CHECK(server.received().find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(server.received().find("Expect") == std::string::npos);
    CHECK(server.received().ends_with("\r\n\r\n{\"key\": \"s3cret\"}"));
    const std::string log = caller.log();
    CAPTURE(log);
    CHECK(log.find("s3cret") == std::string::npos);
    CHECK(log.find("PATCH " + server.url() + "?.., 17 bytes") != std::string::npos);
    CHECK(log.find("201, 6 bytes in ") != std::string::npos);
    CHECK(log.find("> Content-Type=application/json") != std::string::npos);
    CHECK(log.find("< X-Request-Id=17") != std::string::npos);

    SUBCASE("a header is one line") {
        request.headers = {{"X-Name", "one\r\nX-Other: two"}};
        CHECK(caller.sends(plain, request).category == CERTCAST_CONFIG_ERROR);
    }
    SUBCASE("a URL has no password in it, and a proxy's is not shown") {
        for (const char* url : {"http://user:s3cret@127.0.0.1/", "http://user:s3cret@host:99999/",
                                "http://user:s3 cret@host/", "user:s3cret@host"}) {
            CAPTURE(url);
            const FakeOutcome outcome = caller.gets(plain, url);
            CHECK_FALSE(outcome.ok);
            CHECK(outcome.message.find("cret") == std::string::npos);
        }
        for (const char* proxy :
             {"http://user:s3cret@host:99999", "ftp://user:s3cret@host", "http://user:s3#cret@host",
              "http://user:s3/cret@host", "http://user:s3 cret@host"}) {
            CAPTURE(proxy);
            http::Settings settings = plain;
            settings.proxy = certcast::Sensitive(proxy);
            const FakeOutcome outcome = caller.gets(settings, server.url());
            CAPTURE(outcome.message);
            CHECK(outcome.category == CERTCAST_CONFIG_ERROR);
            CHECK(outcome.message.find("cret") == std::string::npos);
        }
    }
}

TEST_CASE("a proxy is gone through where one is given, and only there") {
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    Caller caller;
    const RawServer server(answer_with("204 No Content"));
    CHECK(caller.gets(plain, server.url()).ok);
    ::unsetenv("http_proxy");

    http::Settings settings = plain;
    settings.proxy = certcast::Sensitive("http://user:s3cret@" + server.address());
    CHECK(caller.gets(settings, "http://far.example/path").ok);
    CHECK(server.received().starts_with("GET http://far.example/path HTTP/1.1\r\n"));
    CHECK(server.received().find("Proxy-Authorization: Basic ") != std::string::npos);

    const RawServer refusing(answer_with("407 Proxy Authentication Required"));
    settings.proxy = certcast::Sensitive("http://user:s3cret@" + refusing.address());
    const FakeOutcome outcome = caller.gets(settings, "https://far.example/path");
    CHECK(refusing.received().starts_with("CONNECT far.example:443 HTTP/1.1\r\n"));
    CHECK(outcome.category == CERTCAST_NETWORK_ERROR);
    CHECK(outcome.message.find("407") != std::string::npos);
    CHECK((outcome.message + caller.log()).find("s3cret") == std::string::npos);
}

TEST_CASE("what gets no answer soon is told before it does") {
    Caller caller;
    SUBCASE("one comes later") {
        std::counting_semaphore<> told(0);
        caller.host.on_log = [&] { told.release(); };
        const RawServer server([&](int client) {
            const bool is_told = told.try_acquire_for(std::chrono::seconds(3));
            RawServer::send_all(client, answer_with(is_told ? "200 OK" : "500 Nothing told"));
        });
        REQUIRE(caller.gets(plain, server.url()).ok);
        CHECK(caller.response.status == 200);
        REQUIRE(caller.host.logs.size() == 2);
        CHECK(caller.host.logs[0].find("GET " + server.url() + ", 0 bytes") != std::string::npos);
        CHECK(caller.host.logs[0].find(": 200, ") == std::string::npos);
        CHECK(caller.host.logs[1].find("200, ") != std::string::npos);
        CHECK(caller.host.logs[1].find("GET") == std::string::npos);
    }
    SUBCASE("one comes at once") {
        const RawServer server(answer_with("200 OK"));
        bool is_one_line = false;
        for (int tries = 0; tries < 5 && !is_one_line; ++tries) {  // also where all is slow
            caller.host.logs.clear();
            REQUIRE(caller.gets(plain, server.url()).ok);
            is_one_line = caller.host.logs.size() == 1;
        }
        REQUIRE(is_one_line);
        CHECK(caller.log().find("GET " + server.url() + ", 0 bytes: 200, ") != std::string::npos);
    }
    SUBCASE("none is waited for") {
        const RawServer server(answer_with("200 OK"));
        caller.host.cancel(CERTCAST_CANCEL_USER);
        REQUIRE_FALSE(caller.gets(plain, server.url()).ok);
        REQUIRE(caller.host.logs.size() == 1);
        CHECK(caller.host.logs[0].find("GET " + server.url() + ", 0 bytes") != std::string::npos);
    }
    SUBCASE("none comes") {
        const RawServer server([](int) {});
        REQUIRE_FALSE(caller.gets(plain, server.url()).ok);
        REQUIRE(caller.host.logs.size() == 1);
        CHECK(caller.host.logs[0].find("GET " + server.url() + ", 0 bytes") != std::string::npos);
    }
}

TEST_CASE("a status means what the field takes it for") {
    struct Case {
        const char* status;
        const char* headers;
        std::uint32_t category;
        std::uint32_t retry;
        std::uint64_t after_ms;
    };
    for (const Case& one : std::vector<Case>{
             {"200 OK", "", 0, 0, 0},
             {"401 Unauthorized", "", CERTCAST_AUTH_ERROR, CERTCAST_RETRY_DEFAULT, 0},
             {"403 Forbidden", "", CERTCAST_AUTH_ERROR, CERTCAST_RETRY_DEFAULT, 0},
             {"404 Not Found", "", CERTCAST_REMOTE_ERROR, CERTCAST_RETRY_NEVER, 0},
             {"408 Request Timeout", "", CERTCAST_TIMEOUT_ERROR, CERTCAST_RETRY_DEFAULT, 0},
             {"409 Conflict", "", CERTCAST_CONFLICT_ERROR, CERTCAST_RETRY_DEFAULT, 0},
             {"422 Unprocessable", "", CERTCAST_REMOTE_ERROR, CERTCAST_RETRY_NEVER, 0},
             {"429 Too Many Requests", "Retry-After: 17\r\n", CERTCAST_REMOTE_ERROR,
              CERTCAST_RETRY_LATER, 17'000},
             {"500 Internal Server Error", "", CERTCAST_REMOTE_ERROR, CERTCAST_RETRY_LATER, 0},
             {"503 Service Unavailable", "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n",
              CERTCAST_REMOTE_ERROR, CERTCAST_RETRY_LATER, 0},
             {"503 Service Unavailable", "Retry-After: soon\r\n", CERTCAST_REMOTE_ERROR,
              CERTCAST_RETRY_LATER, 0}}) {
        CAPTURE(one.status);
        const RawServer server(answer_with(one.status, one.headers));
        Caller caller;
        const FakeOutcome outcome = caller.does([&](const certcast::Job& job) {
            http::Client client(plain);
            http::expect_good(client.send({.url = server.url()}, job), "reading it", "its words");
        });
        CHECK(outcome.ok == (one.category == 0));
        CHECK(outcome.category == one.category);
        CHECK(outcome.retry == one.retry);
        CHECK(outcome.retry_after_ms == one.after_ms);
        if (outcome.ok) continue;
        CHECK(outcome.code == std::string(one.status).substr(0, 3));
        CHECK(outcome.message.starts_with("reading it: the server answers " + outcome.code +
                                          ": its words"));
    }
}

TEST_CASE("Retry-After may be a date") {
    const std::time_t then = std::time(nullptr) + 100;
    char date[64];
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&then));
    http::Response response;
    response.headers.emplace_back("Retry-After", date);
    REQUIRE(response.retry_after());
    CHECK(*response.retry_after() <= std::chrono::seconds(100));
    CHECK(*response.retry_after() > std::chrono::seconds(50));
}
