#include "core/base/endpoint.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace certcast {

namespace {

bool is_host_name(std::string_view host) {
    const auto belongs = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    };
    return !host.empty() && host.size() <= 253 && host.front() != '.' && host.front() != '-' &&
           host.find("..") == std::string_view::npos &&
           std::all_of(host.begin(), host.end(), belongs);
}

bool is_ipv6(const std::string& host) {
    unsigned char address[16];
    // A zone, as in fe80::1%eth0, is no part of the address itself.
    return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), address) == 1;
}

bool is_ipv4(const std::string& host) {
    unsigned char address[4];
    return inet_pton(AF_INET, host.c_str(), address) == 1;
}

}  // namespace

std::string Endpoint::text() const {
    const bool brackets = host.find(':') != std::string::npos;
    return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto refuse = [&](const std::string& why) {
        return Error{ErrorCode::invalid,
                     "\"" + std::string(text) + "\" is no endpoint: " + why +
                         ", expected host:port or [v6 address]:port",
                     {}};
    };
    const std::size_t colon = text.rfind(':');
    const bool brackets = text.starts_with('[');
    if (colon == std::string_view::npos || (brackets && (colon == 0 || text[colon - 1] != ']'))) {
        return refuse("the port is missing");
    }
    std::string host(brackets ? text.substr(1, colon - 2) : text.substr(0, colon));
    std::transform(host.begin(), host.end(), host.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (host.empty()) return refuse("the host is missing");
    if (brackets && !is_ipv6(host)) return refuse("no IPv6 address stands in the brackets");
    if (!brackets && host.find(':') != std::string::npos) {
        return refuse("an IPv6 address needs brackets");
    }
    if (!brackets && !is_host_name(host)) return refuse("the host is no name and no address");

    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failure != std::errc() || end != digits.data() + digits.size() || port == 0) {
        return refuse("the port is not between 1 and 65535");
    }
    return Endpoint{std::move(host), port};
}

bool is_ip_address(const std::string& host) {
    return is_ipv4(host) || is_ipv6(host);
}

}  // namespace certcast
