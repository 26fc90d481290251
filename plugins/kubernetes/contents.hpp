#pragma once

#include <boost/json/object.hpp>
#include <certcast/sensitive.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kubernetes {

/// What a secret is to hold under a key.
struct Entry {
    std::string key;
    certcast::Sensitive bytes;
    bool is_pkcs12 = false;
};

/// The entries of a secret, as they are behind the base64.
using Contents = std::map<std::string, certcast::Sensitive>;

/// Of a secret as the server gives it. An entry that is no base64 is empty.
Contents contents_of(const boost::json::object& secret);
/// Its tls.crt; empty where it has none.
certcast::Sensitive certificate_in(const boost::json::object& secret);

/// Whether two PEM texts hold the same certificates in the same order, and keys for the same public
/// one: what stands around them, and how a private key is written, does not count.
bool is_same_pem(std::string_view left, std::string_view right);

/// Throws config_error where they are no certificate and its key.
void expect_pair(std::string_view fullchain, const certcast::Sensitive& key);

}  // namespace kubernetes
