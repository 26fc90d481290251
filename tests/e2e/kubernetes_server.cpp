#include "tests/e2e/kubernetes_server.hpp"

#include "core/certificate/certificate_bundle.hpp"
#include "tests/e2e/nginx_server.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace certcast::testing {

namespace {

namespace fs = std::filesystem;

void end(std::unique_ptr<Process>& process, int signal) {
    if (!process) return;
    process->signal(signal);
    process->wait();
    process.reset();
}

}  // namespace

fs::path kubernetes_programs() {
    const char* const said = std::getenv("CERTCAST_KUBERNETES");
    const char* const home = std::getenv("HOME");
    const char* const cache = std::getenv("XDG_CACHE_HOME");
    fs::path folder = said != nullptr ? said : "";
    if (said == nullptr && cache != nullptr) folder = fs::path(cache) / "certcast/kubernetes";
    if (said == nullptr && cache == nullptr && home != nullptr) {
        folder = fs::path(home) / ".cache/certcast/kubernetes";
    }
    return ::access((folder / "kube-apiserver").c_str(), X_OK) == 0 ? folder : fs::path();
}

KubernetesServer::KubernetesServer(const Workspace& workspace)
    : workspace_(workspace),
      folder_(workspace / "kubernetes"),
      // kubectl keeps a cache at home.
      environment_{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"HOME", folder_.string()}} {
    fs::create_directories(folder_);
    workspace_.issue("apiserver", {.names = {"IP:127.0.0.1", "DNS:kubernetes.default.svc"}});
    std::ofstream(authority()) << pem(workspace_.authority().certificate);
    std::ofstream(folder_ / "tokens") << "admin-token,admin,1,system:masters\n"
                                         "limited-token,limited,2\n";
    start();
    std::ofstream(kubeconfig()) << kubeconfig_of("token: admin-token");
}

KubernetesServer::~KubernetesServer() {
    stop();
}

void KubernetesServer::stop(int signal) {
    end(server_, signal);
    end(etcd_, signal);
}

void KubernetesServer::start() {
    const fs::path programs = kubernetes_programs();
    const auto at = [](std::uint16_t port) { return "http://127.0.0.1:" + std::to_string(port); };
    const auto file = [&](const char* name) { return (folder_ / name).string(); };
    const std::string certificate = (workspace_ / "apiserver.pem").string();
    const std::string key = (workspace_ / "apiserver.key").string();
    // Somebody may take a port between the choice and the start; then there is another.
    for (int attempt = 1;; ++attempt) {
        stop();
        if (etcd_port_ == 0 || attempt > 1) etcd_port_ = free_port();
        if (port_ == 0 || attempt > 1) port_ = free_port();
        etcd_ = std::make_unique<Process>(
            std::vector<std::string>{(programs / "etcd").string(), "--data-dir", file("etcd"),
                                     "--listen-client-urls", at(etcd_port_),
                                     "--advertise-client-urls", at(etcd_port_),
                                     "--listen-peer-urls", at(free_port()), "--unsafe-no-fsync"},
            environment_);
        server_ = std::make_unique<Process>(
            std::vector<std::string>{
                (programs / "kube-apiserver").string(), "--etcd-servers=" + at(etcd_port_),
                "--bind-address=127.0.0.1", "--secure-port=" + std::to_string(port_),
                "--insecure-port=0", "--tls-cert-file=" + certificate,
                "--tls-private-key-file=" + key, "--client-ca-file=" + authority().string(),
                "--token-auth-file=" + file("tokens"), "--authorization-mode=RBAC",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--service-account-key-file=" + certificate,
                "--service-account-signing-key-file=" + key,
                "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.0.0.0/24", "--cert-dir=" + folder_.string()},
            environment_);
        bool is_ready = false;
        wait_until(
            "the API server is ready or gives up",
            [&] {
                if (state_of(server_->pid()) == 'Z' || state_of(etcd_->pid()) == 'Z') return true;
                Process asked(
                    {(programs / "kubectl").string(), "--server", url(), "--certificate-authority",
                     authority().string(), "--token", "admin-token", "get", "--raw", "/readyz"},
                    environment_);
                is_ready = asked.wait().status == 0;
                return is_ready;
            },
            60s);
        if (is_ready) return;
        if (attempt == 5) throw std::runtime_error("no API server: " + server_->errors());
    }
}

std::string KubernetesServer::kubeconfig_of(const std::string& user) const {
    return "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters:\n- name: here\n"
           "  cluster:\n    server: " +
           url() + "\n    certificate-authority: " + authority().string() +
           "\nusers:\n- name: one\n  user:\n    " + user +
           "\ncontexts:\n- name: test\n  context: {cluster: here, user: one}\n";
}

std::string KubernetesServer::kubectl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {(kubernetes_programs() / "kubectl").string(),
                                         "--kubeconfig", kubeconfig().string()});
    return said_by(arguments, environment_);
}

std::string KubernetesServer::entry(const std::string& name_space, const std::string& secret,
                                    const std::string& key) const {
    return kubectl({"get", "secret", "-n", name_space, secret, "-o",
                    "go-template={{index .data \"" + key + "\" | base64decode}}"});
}

std::string KubernetesServer::version_of(const std::string& name_space,
                                         const std::string& secret) const {
    return kubectl(
        {"get", "secret", "-n", name_space, secret, "-o", "jsonpath={.metadata.resourceVersion}"});
}

}  // namespace certcast::testing
