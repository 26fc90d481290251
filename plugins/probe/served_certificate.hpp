#pragma once

#include <certcast/values.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tls {

/// The kind of key that a certificate is for; a server may have one certificate of each.
enum class KeyKind { any, rsa, ecdsa, ed25519 };

/// What is spoken before the handshake.
enum class Protocol { tls, smtp, imap, pop3, ldap, postgres, mysql };

/// What one address of a server answered: the chain as DER, the leaf first, or why there is none.
struct Served {
    enum class Failure { none, network, timeout, refused, cancelled };

    std::string address;  ///< the resolved one, with its port
    std::vector<std::string> chain;
    Failure failure = Failure::none;
    std::string error;
    std::string staple_problem;  ///< of the OCSP response, where it was asked for
    bool no_way = false;         ///< this host cannot reach addresses of that kind
};

/// Failure::none: there is none.
struct Trouble {
    Served::Failure failure = Served::Failure::none;
    std::string error;
};

/// What a server is asked, and how.
struct Question {
    std::string server_name = {};
    Protocol protocol = Protocol::tls;
    KeyKind kind = KeyKind::any;  ///< of the certificate
    bool staple = false;          ///< for an OCSP response, too
};

/// Until when to try, and the descriptor that becomes readable when it is time to stop.
struct Patience {
    std::chrono::steady_clock::time_point deadline;
    int cancel_fd = -1;

    /// False: cancelled meanwhile.
    bool pause(std::chrono::milliseconds time) const;
};

/// Waits for the socket; what ended the waiting instead, or Failure::none.
Served::Failure wait_for(int fd, short events, const Patience& patience);

/// Does one handshake with every address behind the endpoint that this host has a way to. Trust is
/// not checked: the caller compares what is served. A name that does not resolve is one failed
/// answer. Looking it up cannot be interrupted.
std::vector<Served> served(const certcast::Endpoint& endpoint, const Question& question,
                           const Patience& patience);

KeyKind key_kind(std::string_view certificate_der);
std::string sha256(std::string_view der);
/// Seconds since 1970; 0: unreadable.
std::int64_t not_after(std::string_view certificate_der);
/// "CN = shop.example, sha256 0a1b2c3d.., until 2026-01-31": for messages.
std::string describe(std::string_view certificate_der);
/// "sha256 0a1b2c3d.."
std::string short_fingerprint(std::string_view sha256);

}  // namespace tls
