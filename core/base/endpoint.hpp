#pragma once

#include "core/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace certcast {

/// A host and a port to connect to. Nothing is resolved.
struct Endpoint {
    std::string host;  ///< a name in lower case, or an IP address without brackets
    std::uint16_t port = 0;

    /// "host:port", "[v6]:port".
    std::string text() const;
};

/// Reads "host:port", "10.0.0.1:port" or "[v6]:port".
Result<Endpoint> parse_endpoint(std::string_view text);

bool is_ip_address(const std::string& host);

}  // namespace certcast
