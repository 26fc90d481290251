#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace certcast::testing;

namespace {

/// A name server that takes every question and answers none. Needs root, for port 53 and for the
/// private mount namespace in which programs are told of it.
class DeadNameServer {
public:
    static std::unique_ptr<DeadNameServer> start(const Workspace& workspace) {
        auto server = std::unique_ptr<DeadNameServer>(new DeadNameServer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(53);
        inet_pton(AF_INET, "127.9.9.9", &address.sin_addr);
        if (bind(server->fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            return nullptr;
        const auto resolv = workspace.folder().write(
            "resolv.conf", "nameserver 127.9.9.9\noptions timeout:30 attempts:5\n");
        server->prefix_ = {
            "unshare", "-m", "sh", "-c",
            "mount --bind " + resolv.string() + " /etc/resolv.conf && exec \"$0\" \"$@\""};
        std::vector<std::string> trial = server->prefix_;
        trial.emplace_back("true");
        Process process(trial, {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}});
        return process.wait().status == 0 ? std::move(server) : nullptr;
    }
    DeadNameServer(const DeadNameServer&) = delete;
    DeadNameServer& operator=(const DeadNameServer&) = delete;
    ~DeadNameServer() { close(fd_); }

    /// Put before a command, it makes this the only name server.
    const std::vector<std::string>& prefix() const { return prefix_; }

private:
    DeadNameServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
    int fd_;
    std::vector<std::string> prefix_;
};

std::string probed(const Workspace& workspace, const std::string& address) {
    std::string text = workspace.head() + std::string(deployment("good", "test-works"));
    text += Toml()
                .table("deploy.bad")
                .text("plugin", "test-works")
                .text("certificate", "shop")
                .value("probe", "[{ address = \"" + address +
                                    "\", server_name = \"shop.example\", timeout = \"1s\" }]");
    return text;
}

}  // namespace

TEST_CASE("a port where nothing listens fails its deployment, with the address in the message") {
    const Workspace workspace;
    const std::string address = "127.0.0.1:" + std::to_string(free_port());
    const Run run = workspace.run(probed(workspace, address));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 1);
    CHECK(run.text("bad", "status") != "changed");
    CHECK(run.message("bad").find(address) != std::string::npos);
    CHECK(run.number("bad", "duration_ms") < 6000);
    CHECK(run.text("good", "status") == "changed");
    CHECK(leftovers().empty());
}

TEST_CASE("a server that accepts and never speaks does not outlast the deadline") {
    const Workspace workspace;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener, 16) == 0);
    REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const Run run =
        workspace.run(probed(workspace, "127.0.0.1:" + std::to_string(ntohs(address.sin_port))));
    CAPTURE(run.output);
    CHECK(run.status == 1);
    CHECK(run.text("bad", "status") != "changed");
    CHECK(run.number("bad", "duration_ms") < 6000);
    CHECK(run.text("good", "status") == "changed");
    CHECK(leftovers().empty());
    close(listener);
}

TEST_CASE("a dead name server does not outlast the deadline, nor hold up anybody else") {
    const Workspace workspace;
    const auto name_server = DeadNameServer::start(workspace);
    if (!name_server) {
        MESSAGE("skipped: port 53 and a private mount namespace take root");
        return;
    }
    const auto file =
        workspace.folder().write("pipeline.toml", probed(workspace, "nowhere.test:443"));
    std::vector<std::string> argv = name_server->prefix();
    for (const std::string& argument :
         {std::string(CERTCAST_PROGRAM), std::string("run"), file.string(), std::string("--report"),
          (workspace / "pipeline.json").string()})
        argv.push_back(argument);
    Process host(argv, workspace.environment());
    const Run run = workspace.collect(host);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 1);
    CHECK(run.text("bad", "status") != "changed");
    CHECK(run.number("bad", "duration_ms") < 6000);
    CHECK(run.text("good", "status") == "changed");
    CHECK(run.number("good", "duration_ms") < 2000);
    CHECK(run.took < 8s);
    CHECK(leftovers().empty());
}
