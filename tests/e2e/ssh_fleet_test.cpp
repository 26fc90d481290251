#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/ssh_host.hpp"
#include "tests/unit/accepting_server.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

sockaddr_in on_loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

/// A host that is there and says nothing, until it is closed.
class SilentHost {
public:
    SilentHost() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address = on_loopback(0);
        socklen_t size = sizeof(address);
        auto* const raw = reinterpret_cast<sockaddr*>(&address);
        REQUIRE(::bind(fd_, raw, size) == 0);
        REQUIRE(::listen(fd_, 64) == 0);
        REQUIRE(::getsockname(fd_, raw, &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    SilentHost(const SilentHost&) = delete;
    SilentHost& operator=(const SilentHost&) = delete;
    ~SilentHost() { close(); }

    std::uint16_t port() const { return port_; }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

private:
    int fd_;
    std::uint16_t port_ = 0;
};

/// A line to a port on which everything takes its time in both directions. Counts the longest chain
/// of what was asked after what was heard.
class SlowLine {
public:
    SlowLine(std::uint16_t port, std::chrono::milliseconds delay)
        : server_([this, port, delay](int client) { pass_on(client, port, delay); }) {}

    std::uint16_t port() const { return server_.port(); }
    int round_trips() const { return turns_; }

private:
    struct Piece {
        steady_clock::time_point due;
        std::string bytes;
        int asked;  ///< how often, in this chain
    };
    struct Direction {
        int from;
        int to;
        std::deque<Piece> under_way{};
        bool is_open = true;
    };

    void pass_on(int client, std::uint16_t port, std::chrono::milliseconds delay) {
        const int far = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in address = on_loopback(port);
        if (::connect(far, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
            relay({client, far}, {far, client}, delay);
        }
        ::close(far);
    }

    void relay(Direction out, Direction back, std::chrono::milliseconds delay) {
        int asked = 0;
        while (out.is_open && back.is_open) {
            auto next = steady_clock::now() + std::chrono::seconds(60);
            for (Direction* one : {&out, &back}) {
                while (!one->under_way.empty() &&
                       one->under_way.front().due <= steady_clock::now()) {
                    const std::string& bytes = one->under_way.front().bytes;
                    ::send(one->to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
                    if (one == &out) asked = one->under_way.front().asked;
                    if (one == &back) turns_ = one->under_way.front().asked;
                    one->under_way.pop_front();
                }
                if (!one->under_way.empty()) next = std::min(next, one->under_way.front().due);
            }
            std::array<pollfd, 2> fds{{{out.from, POLLIN, 0}, {back.from, POLLIN, 0}}};
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(next - steady_clock::now());
            ::poll(fds.data(), fds.size(), static_cast<int>(std::max<long>(left.count(), 0)));
            for (std::size_t i = 0; i < fds.size(); ++i) {
                if (fds.at(i).revents == 0) continue;
                Direction& one = i == 0 ? out : back;
                std::string bytes(65536, '\0');
                const ssize_t got = ::recv(one.from, bytes.data(), bytes.size(), 0);
                one.is_open = got > 0;
                if (got <= 0) continue;
                bytes.resize(static_cast<std::size_t>(got));
                one.under_way.push_back({steady_clock::now() + delay, std::move(bytes),
                                         &one == &out ? turns_ + 1 : asked});
            }
        }
    }

    std::atomic<int> turns_ = 0;
    AcceptingServer server_;
};

/// One sshd that stands for many hosts, each with a folder of its own.
class Fleet : public Host {
public:
    using Host::Host;

    void add(const std::string& name, std::uint16_t port) {
        std::ofstream(workspace / "hosts.txt", std::ios::app) << name << " port=" << port << '\n';
        fs::create_directories(folder / name);
    }
    std::string fleet(const std::string& more = {}) const {
        std::string login = server.login();
        const std::string own = "port = " + std::to_string(server.port()) + "\n";
        login.replace(login.find(own), own.size(), "port = \"${target.port}\"\n");
        return workspace.head({"newer"}) +
               "max_parallel = 32\n[deploy.fleet]\nplugin = \"ssh\"\ncertificate = \"newer\"\n"
               "probe = false\ntargets = { file = \"hosts.txt\" }\n" +
               more + "[deploy.fleet.config]\n" + login +
               "connect_timeout = \"5m\"\nfiles = [{ form = \"fullchain\", path = \"" +
               (folder / "${target.name}" / "crt").string() + "\" }, { form = \"key\", path = \"" +
               (folder / "${target.name}" / "key").string() + "\" }]\n";
    }
};

}  // namespace

TEST_CASE("hosts that are dead keep nobody waiting") {
    if (!is_there(sshd)) return;
    Fleet host({.settings = "MaxStartups 100\n"});
    SilentHost silent;
    constexpr std::size_t living = 195;
    constexpr std::size_t dead = 5;
    // The dead ones first, so that they take their places first.
    for (std::size_t i = 0; i < dead; ++i) host.add("dead" + std::to_string(i), silent.port());
    for (std::size_t i = 0; i < living; ++i) {
        host.add("web" + std::to_string(i), host.server.port());
    }
    const auto run = host.workspace.start_run(host.fleet());
    wait_until("all that live are done",
               [&] { return count_of(run->output(), ": changed in ") == living; });
    CHECK(count_of(run->output(), "failed in") == 0);
    silent.close();
    const Run first = host.workspace.collect(*run);
    CHECK(says(first.output, "195 changed, 5 failed"));
    SilentHost again;
    fs::remove(host.workspace / "hosts.txt");
    for (std::size_t i = 0; i < living; ++i) {
        host.add("web" + std::to_string(i), host.server.port());
    }
    const Run second = host.workspace.run(host.fleet());
    CHECK(says(second.output, "195 unchanged"));
}

TEST_CASE("a server that takes in only a few at a time has all of them in the end") {
    if (!is_there(sshd)) return;
    Fleet host({.settings = "MaxStartups 2:100:2\n"});
    for (int i = 0; i < 40; ++i) host.add("web" + std::to_string(i), host.server.port());
    const Run run = host.workspace.run(
        host.fleet("retry = { attempts = 1000, backoff = \"50ms\", max_backoff = \"200ms\" }\n"));
    CHECK(says(run.output, "40 changed"));
    // Some had to come again, else this has shown nothing.
    CHECK(says(run.output, "the connection broke before anybody logged in"));
}

TEST_CASE("a deployment waits for few answers of its host") {
    if (!is_there(sshd)) return;
    Fleet host;
    SlowLine line(host.server.port(), 50ms);
    // Known as what it leads to.
    std::string known = read_text(host.server.known_hosts());
    known.replace(0, known.find(' '), "[127.0.0.1]:" + std::to_string(line.port()));
    std::ofstream(host.server.known_hosts(), std::ios::app) << known;
    host.add("web", line.port());
    const Run run = host.workspace.run(host.fleet());
    CAPTURE(run.output);
    REQUIRE(run["fleet/web"].at("status") == "changed");
    MESSAGE(line.round_trips(), " round trips; ", run["fleet/web"].at("duration_ms").as_int64(),
            " ms at 100 ms each");
    // Eight until it is proven, and one to put away what was kept.
    CHECK(line.round_trips() <= 9);
}

TEST_CASE("the fleet of the samples") {
    if (!is_there(sshd)) return;
    Fleet host;
    const fs::path samples = CERTCAST_SAMPLES;
    std::string pipeline = read_text(samples / "fleet" / "pipeline.toml");
    const auto stands_for = [&](const std::string& text, const std::string& here) {
        REQUIRE(says(pipeline, text));
        for (auto at = pipeline.find(text); at != std::string::npos;
             at = pipeline.find(text, at + here.size())) {
            pipeline.replace(at, text.size(), here);
        }
    };
    // What is the operator's own: where the certificate and the keys are, and what serves it.
    stands_for("/etc/letsencrypt/live/shop.example/fullchain.pem",
               (host.workspace / "newer.pem").string());
    stands_for("/etc/letsencrypt/live/shop.example/privkey.pem",
               (host.workspace / "newer.key").string());
    stands_for("/etc/nginx/tls", (host.folder / "${target.name}").string());
    stands_for("probe = [{ address = \"${target.name}:443\", server_name = \"shop.example\" }]",
               "probe = false");
    const fs::path ssh = host.workspace / "home" / ".ssh";
    stands_for("/root/.ssh", ssh.string());
    fs::create_directories(ssh);
    fs::copy(host.server.key(), ssh / "id_ed25519");
    fs::copy(host.server.known_hosts(), ssh / "known_hosts");
    std::ofstream(ssh / "config") << "Host web*\n  HostName 127.0.0.1\n  User " << SshServer::user()
                                  << "\n  Port " << host.server.port() << "\n";
    fs::copy(samples / "fleet" / "hosts.txt", host.workspace / "hosts.txt");
    for (int i = 1; i <= 6; ++i) fs::create_directory(host.folder / ("web" + std::to_string(i)));
    host.server.install_program("nginx", "echo \"$*\" >> " + (host.folder / "said").string());

    const Run first = host.workspace.run(pipeline);
    CAPTURE(first.output);
    CAPTURE(first.errors);
    CHECK(says(first.output, "6 changed"));
    CHECK(says(read_text(host.folder / "web6" / "shop.crt"), host.pem("newer")));
    const std::string said = read_text(host.folder / "said");
    CHECK(count_of(said, "-t\n") == 6);
    CHECK(count_of(said, "-s reload\n") == 6);
    CHECK(says(host.workspace.run(pipeline).output, "6 unchanged"));

    // One that refuses takes the others back with it.
    fs::remove_all(host.folder / "web5");
    host.workspace.issue("newer");
    const Run aborted = host.workspace.run(pipeline);
    CAPTURE(aborted.output);
    CHECK(says(aborted.output, "1 of 6 deployments of web did not succeed"));
    CHECK(!says(read_text(host.folder / "web1" / "shop.crt"), host.pem("newer")));
}
