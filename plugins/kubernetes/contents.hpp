#pragma once

#include <boost/json/object.hpp>
#include <certcast/sensitive.hpp>

#include <string_view>

namespace kubernetes {

/// The tls.crt of a secret; empty where it has none.
certcast::Sensitive certificate_in(const boost::json::object& secret);

/// Whether two PEM texts hold the same certificates in the same order, and keys for the same public
/// one: what stands around them, and how a private key is written, does not count.
bool is_same_pem(std::string_view left, std::string_view right);
/// Whether two values of data, in base64, are the same bytes, PEM as above, or PKCS#12 that holds
/// the same.
bool is_same_entry(std::string_view left, std::string_view right,
                   const certcast::Sensitive& pkcs12_password);

}  // namespace kubernetes
