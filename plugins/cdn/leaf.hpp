#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace cdn {

/// What a certificate says, as far as vendors list it.
struct Leaf {
    std::time_t not_before = 0;
    std::time_t not_after = 0;
    std::string key;                 ///< as in "RSA_2048", "EC_prime256v1"
    std::vector<std::string> names;  ///< of hosts, in small letters
};

/// The first certificate in PEM text. Throws config_error where there is none.
Leaf leaf_in(std::string_view pem);

/// Whether one of a certificate's names is that of the host, which may be a wildcard itself
/// (RFC 6125, 6.4.3).
bool is_for(const std::vector<std::string>& names, std::string_view host);

}  // namespace cdn
