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

/// A list of texts as TOML writes it.
std::string toml_list(const std::vector<std::string>& texts);

/// A real nginx on a port of its own, with one pair of files per host name: FOLDER/HOST.crt and
/// FOLDER/HOST.key, which must be there before.
class NginxServer {
public:
    NginxServer(const Workspace& workspace, std::string name, std::vector<std::string> hosts);
    NginxServer(const NginxServer&) = delete;
    NginxServer& operator=(const NginxServer&) = delete;
    ~NginxServer();

    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    std::filesystem::path operator/(std::string_view file) const { return folder_ / file; }
    std::filesystem::path config() const { return folder_ / "nginx.conf"; }
    std::string check() const { return toml_list(command({"-t"})); }
    std::string reload() const { return toml_list(command({"-s", "reload"})); }
    /// How often it has been told to reload, which its log says.
    int reloads() const;
    std::string served(std::string_view host = "shop.example") const {
        return served_sha256(port_, host);
    }

    /// `[deploy.NAME]` that puts `certificate` in place of one of its pairs, with `check` and
    /// `reload` given as TOML, and the probe that belongs to it.
    std::string deployment(std::string_view certificate, std::string_view check,
                           std::string_view reload, std::string_view host = "shop.example") const;
    std::string deployment(std::string_view certificate) const {
        return deployment(certificate, check(), reload());
    }

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
