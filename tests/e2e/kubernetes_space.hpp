#pragma once

#include "tests/e2e/kubernetes_server.hpp"
#include "tests/e2e/real_part.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace certcast::testing {

/// Whether there is an API server; where there is none the test is to return.
inline bool cluster_is_there() {
    return !kubernetes_programs().empty() ||
           skip("there is no kube-apiserver; tests/run.sh --kubernetes builds one");
}

/// One server for all tests, each in a namespace of its own.
class Cluster {
public:
    Cluster() : server(workspace) {
        workspace.issue("newer");
        workspace.issue("former");
    }
    static Cluster& of_all_tests() {
        static Cluster cluster;
        return cluster;
    }

    std::string pem(const std::string& certificate) const {
        return read_text(workspace / (certificate + ".pem"));
    }
    std::string key(const std::string& certificate) const {
        return read_text(workspace / (certificate + ".key"));
    }

    Workspace workspace;
    KubernetesServer server;
};

/// A pipeline whose probe finds nobody, so that what is deployed is undone.
inline std::string unproven(const std::string& pipeline, const std::string& patience = "300ms") {
    return with(pipeline, "probe = false",
                "probe = [{ address = \"127.0.0.1:1\", timeout = \"" + patience + "\" }]");
}

/// A namespace and deployments to a secret in it.
class Space {
public:
    Space() : name_("space-" + std::to_string(++spaces_)) {
        server().kubectl({"create", "namespace", name_});
    }

    static Cluster& cluster() { return Cluster::of_all_tests(); }
    static KubernetesServer& server() { return cluster().server; }
    const std::string& name() const { return name_; }
    /// What kubectl says of the namespace.
    std::string kubectl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"-n", name_});
        return server().kubectl(std::move(arguments));
    }

    /// `more`: another file that it names.
    static std::string by_file(const std::filesystem::path& kubeconfig,
                               const std::filesystem::path& more = {}) {
        std::vector<std::string> files{server().authority().string()};
        if (!more.empty()) files.push_back(more.string());
        return "kubeconfig = [\"" + kubeconfig.string() +
               "\"]\ncredential_files = " + Toml::list(files) + "\n";
    }
    /// As the user whom only what a test grants may do.
    static std::string as_limited() {
        const std::filesystem::path file = cluster().workspace.folder().write(
            "limited.conf", server().kubeconfig_of("token: limited-token"));
        return by_file(file);
    }
    static std::string as_admin() { return by_file(server().kubeconfig()); }
    /// `more`: lines of its config. `access`: how the server is reached.
    std::string pipeline(const std::string& more = {}, const std::string& certificate = "newer",
                         const std::string& access = as_admin()) const {
        return cluster().workspace.head({certificate}) +
               "[deploy.far]\nplugin = \"kubernetes\"\ncertificate = \"" + certificate +
               "\"\nprobe = false\nguards = { older = \"off\" }\n[deploy.far.config]\n" + access +
               "name = \"shop\"\nnamespace = \"" + name_ + "\"\n" + more;
    }
    Run run(const std::string& more = {}, const std::string& certificate = "newer",
            const std::string& access = as_admin()) const {
        return cluster().workspace.run(pipeline(more, certificate, access));
    }
    /// Where a probe finds nobody, so that what was deployed is undone.
    Run run_in_vain(const std::string& more = {}) const {
        return cluster().workspace.run(unproven(pipeline(more)));
    }
    std::string entry(const std::string& key) const { return server().entry(name_, "shop", key); }
    std::string version() const { return server().version_of(name_, "shop"); }
    bool has_secret() const {
        return says(kubectl({"get", "secrets", "-o", "name"}), "secret/shop");
    }

private:
    static inline int spaces_ = 0;
    std::string name_;
};

}  // namespace certcast::testing
