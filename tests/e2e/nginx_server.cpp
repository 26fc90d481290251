#include "tests/e2e/nginx_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <stdexcept>

namespace certcast::testing {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// A socket that is closed at the end of its scope.
struct Socket {
    Socket() : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval limit{.tv_sec = 10, .tv_usec = 0};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() { close(fd); }
    int fd;
};

bool connects(const Socket& socket, std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    return connect(socket.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

std::string sha256_hex(const X509* certificate) {
    Sha256 digest{};
    require(certificate != nullptr &&
            X509_digest(certificate, EVP_sha256(), digest.data(), nullptr) == 1);
    return to_hex(digest);
}

std::string server_block(std::uint16_t port, const std::string& host,
                         const std::filesystem::path& folder, const std::string& more) {
    return "  server {\n"
           "    listen 127.0.0.1:" +
           std::to_string(port) +
           " ssl;\n"
           "    server_name " +
           host +
           ";\n"
           "    ssl_certificate " +
           (folder / (host + ".crt")).string() +
           ";\n"
           "    ssl_certificate_key " +
           (folder / (host + ".key")).string() + ";\n" + more + "  }\n";
}

}  // namespace

std::uint16_t free_port() {
    const Socket socket;
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (bind(socket.fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        getsockname(socket.fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
}

std::string served_sha256(std::uint16_t port, std::string_view server_name) {
    const Socket socket;
    if (!connects(socket, port)) return {};
    const std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context(
        SSL_CTX_new(TLS_client_method()));
    const std::unique_ptr<SSL, FreeWith<SSL_free>> tls(SSL_new(context.get()));
    // SSL_set_tlsext_host_name, without the cast inside that macro.
    std::string name(server_name);
    SSL_ctrl(tls.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    SSL_set_fd(tls.get(), socket.fd);
    if (SSL_connect(tls.get()) != 1) return {};
    return sha256_hex(SSL_get0_peer_certificate(tls.get()));
}

std::string sha256_of(const Issued& issued) {
    return sha256_hex(issued.certificate.get());
}

void install(const Workspace& workspace, std::string_view server, const Issued& issued,
             std::string_view host) {
    const std::string stem = std::string(server) + "/" + std::string(host);
    workspace.folder().write(stem + ".crt", pem(issued.certificate));
    workspace.folder().write(stem + ".key", pem(issued.key));
}

NginxServer::NginxServer(const Workspace& workspace, std::string name,
                         std::vector<std::string> hosts, const std::string& more)
    : name_(std::move(name)), folder_(workspace / name_) {
    // Somebody may take the port between the choice and nginx; then there is another.
    for (int attempt = 1; process_ == nullptr; ++attempt) {
        port_ = free_port();
        std::string config = "pid " + (*this / "nginx.pid").string() +
                             ";\n"
                             "worker_processes 1;\n"
                             "error_log " +
                             (*this / "error.log").string() +
                             " notice;\n"
                             "events {}\n"
                             "http {\n"
                             "  access_log off;\n";
        if (geteuid() == 0) config.insert(0, "user root;\n");
        for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
            config += "  " + std::string(kind) + "_temp_path " + (*this / kind).string() + ";\n";
        for (const std::string& host : hosts) config += server_block(port_, host, folder_, more);
        workspace.folder().write(name_ + "/nginx.conf", config + "}\n");

        process_ = std::make_unique<Process>(
            command({"-g", "daemon off;"}), Environment{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}});
        wait_until("nginx listens or gives up", [&] {
            return state_of(process_->pid()) == 'Z' || !served(hosts.front()).empty();
        });
        if (state_of(process_->pid()) != 'Z') return;
        const std::string why = process_->errors();
        process_.reset();
        if (attempt == 5) throw std::runtime_error("nginx does not start: " + why);
    }
}

NginxServer::~NginxServer() {
    const Watch workers(descendants(process_->pid()));
    process_->signal(SIGTERM);
    process_->wait();
    workers.all_end_within(10s);
}

std::vector<std::string> NginxServer::command(std::vector<std::string> arguments) const {
    std::vector<std::string> all{
        "nginx",          "-p", folder_.string(), "-e", (*this / "error.log").string(), "-c",
        config().string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
}

int NginxServer::reloads() const {
    const std::string log = read_text(*this / "error.log");
    int count = 0;
    for (std::size_t at = 0; (at = log.find("(SIGHUP) received", at)) != std::string::npos; ++at)
        ++count;
    return count;
}

bool NginxServer::comes_to_serve(const std::string& sha256, std::string_view host) const {
    try {
        wait_until(
            "the certificate is served", [&] { return served(host) == sha256; }, 3s);
    } catch (const std::runtime_error&) {
        return false;
    }
    return true;
}

std::string NginxServer::deployment(const DeploymentWish& wish) const {
    const auto or_else = [](const std::string& text, const std::string& other) {
        return "\"" + (text.empty() ? other : text) + "\"";
    };
    const std::string name = wish.name.empty() ? name_ : wish.name;
    const std::string stem = wish.files.empty() ? (folder_ / wish.host).string() : wish.files;
    const std::string place =
        "address = " + or_else(wish.address, address()) + ", server_name = \"" + wish.host + "\"";
    const std::string pair = "certificate = \"" + wish.certificate + "\", fullchain = \"" + stem +
                             ".crt\", key = \"" + stem + ".key\"" +
                             (wish.looked_at_by_plugin ? ", " + place : "");
    return Toml()
        .table("deploy." + name)
        .text("plugin", "nginx")
        .text("certificate", wish.certificate)
        .value("timeouts", "{ verify = \"" + wish.patience + "\" }")
        .value("probe", "[{ " + place + ", timeout = \"" + wish.patience + "\" }]")
        .table("deploy." + name + ".config")
        .value("files", "[{ " + pair + " }]")
        .text("config", config().string())
        .value("check", wish.check.empty() ? check() : wish.check)
        .value("reload", wish.reload.empty() ? reload() : wish.reload);
}

}  // namespace certcast::testing
