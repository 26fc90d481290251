#pragma once

#include "tests/worker/workspace.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

/// Makes a key pair, FILE and FILE.pub.
void make_ssh_key(const std::filesystem::path& file, std::string_view type = "ed25519",
                  std::string_view passphrase = {});

struct SshServerWish {
    std::vector<std::string> shell;  ///< the program that is its sh; empty: the usual
    std::string mounts;              ///< a line for sh: what is mounted for it alone
    std::string settings;            ///< lines of its configuration
    std::string name = "sshd";       ///< of its folder
};

/// A real sshd on a port of its own, with a host key and users' keys of its own. Whoever runs the
/// test logs in.
class SshServer {
public:
    explicit SshServer(const Workspace& workspace, const SshServerWish& wish = {});
    SshServer(const SshServer&) = delete;
    SshServer& operator=(const SshServer&) = delete;
    ~SshServer();

    std::uint16_t port() const { return port_; }
    /// A path as it looks from there, where it was started with mounts of its own.
    std::filesystem::path seen_from_there(const std::filesystem::path& path) const;
    /// A program that is found there before the system's.
    void install_program(std::string_view name, const std::string& script) const;
    std::filesystem::path operator/(std::string_view name) const { return folder_ / name; }
    /// That of the host key.
    std::string fingerprint() const;
    /// A key that is let in.
    std::filesystem::path key() const { return folder_ / "user"; }
    /// Lets another one in. So does a certificate by FOLDER/authority.
    void authorize(const std::filesystem::path& key) const;
    std::filesystem::path known_hosts() const { return folder_ / "known_hosts"; }
    /// What it has written about itself so far.
    std::string log() const { return process_->errors(); }
    /// Breaks all connections, and leaves what runs at their ends.
    void cut() const;
    static std::string user();

    /// The lines of config that reach it.
    Toml login() const;

private:
    std::filesystem::path folder_;
    std::uint16_t port_ = 0;
    std::unique_ptr<Process> process_;
};

}  // namespace certcast::testing
