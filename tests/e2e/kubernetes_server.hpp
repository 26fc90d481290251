#pragma once

#include "tests/worker/workspace.hpp"

#include <signal.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

/// Where tests/kubernetes/build.sh has put its programs; empty where it has not been called.
std::filesystem::path kubernetes_programs();

/// A real kube-apiserver with an etcd of its own, without controllers. It knows the users admin,
/// who may do everything, and limited, who may do what a test grants, by the tokens NAME-token.
class KubernetesServer {
public:
    explicit KubernetesServer(const Workspace& workspace);
    KubernetesServer(const KubernetesServer&) = delete;
    KubernetesServer& operator=(const KubernetesServer&) = delete;
    ~KubernetesServer();

    std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
    /// Who has issued its certificate.
    std::filesystem::path authority() const { return folder_ / "authority.pem"; }
    /// Of the user admin, in the context "admin".
    std::filesystem::path kubeconfig() const { return folder_ / "admin.conf"; }
    /// A kubeconfig for a user with these lines, in the context "test".
    std::string kubeconfig_of(const std::string& user) const;

    /// What kubectl says as admin; throws where it fails.
    std::string kubectl(std::vector<std::string> arguments) const;
    /// One entry of a secret, decoded; empty where there is none.
    std::string entry(const std::string& name_space, const std::string& secret,
                      const std::string& key) const;
    std::string version_of(const std::string& name_space, const std::string& secret) const;

    void stop(int signal = SIGTERM);
    void start();

private:
    const Workspace& workspace_;
    std::filesystem::path folder_;
    Environment environment_;
    std::uint16_t port_ = 0;
    std::uint16_t etcd_port_ = 0;
    std::unique_ptr<Process> etcd_;
    std::unique_ptr<Process> server_;
};

}  // namespace certcast::testing
