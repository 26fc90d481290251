// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/job.hpp>
#include <certcast/sensitive.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast::http {

/// Whom a client takes for the server, and how it gets there. Servers are always verified, by TLS
/// 1.2 or newer.
struct Settings {
    std::string ca_pem;  ///< who may have issued the server's certificate; empty: the system's
    std::string certificate_pem;  ///< the client's own, leaf first; empty: it has none
    Sensitive key_pem;            ///< of that certificate
    std::string server_name;      ///< whom the server's certificate is for; empty: the URL's host
    Sensitive proxy;              ///< "http://[USER:PASSWORD@]HOST:PORT"; empty: none
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds longest_request{0};  ///< zero: as long as the stage lasts
    std::size_t largest_answer = 16 * 1024 * 1024;
    bool allows_plain = false;  ///< http:, too, for services of the machine itself
};

struct Header {
    Header(std::string header_name, ByteView header_value)
        : name(std::move(header_name)), value(header_value.text()) {}

    std::string name;
    Sensitive value;
};

struct Request {
    std::string method = "GET";
    std::string url;  ///< without a user in it
    std::vector<Header> headers{};
    Sensitive body{};
    /// Over a connection of its own: one that is kept may turn out to be closed by then, and the
    /// request is sent again, though nobody knows whether the server has seen it.
    bool only_once = false;
};

struct Response {
    long status = 0;
    std::vector<Header> headers{};
    Sensitive body{};

    bool is_good() const { return status >= 200 && status < 300; }
    /// The first of this name, in whatever case.
    std::optional<std::string_view> header(std::string_view name) const;
    /// Retry-After, given in seconds or as a date (RFC 9110, 10.2.3).
    std::optional<std::chrono::milliseconds> retry_after() const;
};

/// Sends requests one after the other, and keeps connections open in between. Each ends with the
/// stage's deadline, or when the stage is cancelled. A redirect is followed by GET and HEAD alone,
/// and only within the same scheme, host and port. What is sent and received is logged at debug,
/// without bodies, queries and the values of headers that may be secret.
class Client {
public:
    explicit Client(Settings settings = {});
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// Any status is an answer. Throws network_error, timeout_error, cancelled_error; config_error
    /// where the server is not whom it should be; remote_error where what it sends is no answer.
    Response send(const Request& request, const Job& job);

private:
    class Transfer;
    std::unique_ptr<Transfer> transfer_;
};

/// Throws what a status that is not good means where nothing better is known: 401 and 403
/// auth_error, 409 and 412 conflict_error, 408 timeout_error, else remote_error; 429 and 5xx are
/// retried, not before Retry-After. `what`: what was asked for. `why`: the server's own words.
void expect_good(const Response& response, std::string_view what, std::string_view why = {});

/// As part of a URL's path or query: everything but letters, digits and "-._~" as %XX.
std::string encoded(std::string_view text);

/// A URL as it may be shown: without its query, whose values may be secret, and without a user.
std::string shown(std::string_view url);

}  // namespace certcast::http
