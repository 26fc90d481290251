#pragma once

#include <certcast/sensitive.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssh {

/// A private key to log in with.
struct Identity {
    std::filesystem::path key;
    std::filesystem::path certificate;  ///< OpenSSH's, for the key; empty: none
    bool is_wanted = true;              ///< by name; else it is passed over where it cannot be used
};

/// Whom to reach, how, who it has to be, and as whom.
struct Login {
    std::string host;
    std::string address;     ///< what is connected to; empty: the host
    std::string known_as;    ///< in known_hosts; empty: by address and port
    std::uint16_t port = 0;  ///< 0: not said, hence 22
    std::string user;
    std::vector<std::filesystem::path> known_hosts;
    std::filesystem::path
        accept_new;        ///< takes the keys of unknown hosts; empty: none are accepted
    std::string host_key;  ///< "SHA256:..", what its fingerprint has to be, or empty
    std::vector<Identity> identities;
    std::optional<certcast::Sensitive> passphrase;  ///< of the keys
    std::filesystem::path agent;                    ///< its socket; empty: none
    std::optional<certcast::Sensitive> password;
    std::vector<Login> jumps;                ///< through which it goes, the nearest first
    std::vector<std::string> proxy_command;  ///< whose input and output lead there; empty: none
    std::chrono::milliseconds connect_timeout{10'000};

    /// "USER@HOST:PORT", for messages.
    std::string text() const;
};

/// The login with what ssh knows of it, where the login itself says nothing: its configuration,
/// known_hosts and keys in `folder`, which is a user's .ssh; empty: there is none. Afterwards
/// address and port are there, and each of `hops`, "[USER@]HOST[:PORT]", is a jump. Throws
/// certcast::config_error.
Login completed(Login login, const std::vector<std::string>& hops,
                const std::filesystem::path& folder);

}  // namespace ssh
