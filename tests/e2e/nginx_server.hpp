#pragma once

#include "tests/worker/workspace.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

/// A TCP port on 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

/// SHA-256 of the leaf that a server on 127.0.0.1 shows for a host name, in hexadecimal; empty
/// where no handshake comes about.
std::string served_sha256(std::uint16_t port, std::string_view server_name);
std::string sha256_of(const Issued& issued);

/// One deployment onto an nginx; what is left empty is as the server itself has it.
struct DeploymentWish {
    std::string certificate = "new";
    std::string name;
    std::string host = "shop.example";
    std::string check;                ///< a TOML list
    std::string reload;               ///< a TOML list
    std::string files;                ///< stem of the pair's path
    std::string address;              ///< where the new certificate is looked for
    std::string patience = "10s";     ///< how long
    bool looked_at_by_plugin = true;  ///< false: by the probe alone
};

/// A real nginx on a port of its own, with one pair of files per host name: FOLDER/HOST.crt and
/// FOLDER/HOST.key, which must be there before.
class NginxServer {
public:
    /// `more`: what else its servers are told.
    NginxServer(const Workspace& workspace, std::string name, std::vector<std::string> hosts,
                const std::string& more = {});
    NginxServer(const NginxServer&) = delete;
    NginxServer& operator=(const NginxServer&) = delete;
    ~NginxServer();

    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    std::filesystem::path operator/(std::string_view file) const { return folder_ / file; }
    std::filesystem::path config() const { return folder_ / "nginx.conf"; }
    /// Its own commands, as TOML.
    std::string check() const { return Toml::list(command({"-t"})); }
    std::string reload() const { return Toml::list(command({"-s", "reload"})); }
    /// How often it has been told to reload, which its log says.
    int reloads() const;
    std::string served(std::string_view host = "shop.example") const {
        return served_sha256(port_, host);
    }
    /// Once the new workers answer, the old ones may take a connection for a moment longer.
    bool comes_to_serve(const std::string& sha256, std::string_view host = "shop.example") const;

    /// `[deploy.NAME]` with everything that belongs to it.
    std::string deployment(const DeploymentWish& wish = {}) const;

private:
    std::vector<std::string> command(std::vector<std::string> arguments) const;

    std::string name_;
    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    std::unique_ptr<Process> process_;
};

/// Puts an issued pair into FOLDER/HOST.crt and FOLDER/HOST.key of a server that will be started.
void install(const Workspace& workspace, std::string_view server, const Issued& issued,
             std::string_view host = "shop.example");

}  // namespace certcast::testing
