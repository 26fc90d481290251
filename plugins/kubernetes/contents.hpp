#pragma once

#include <boost/json/object.hpp>
#include <certcast/sensitive.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kubernetes {

/// The entries of a secret, as they are behind the base64.
using Contents = std::map<std::string, certcast::Sensitive>;

/// Of a secret as the server gives it. An entry that is no base64 is empty.
Contents contents_of(const boost::json::object& secret);
/// As `data` of a secret.
boost::json::object as_data(const Contents& contents);

/// Whether two PEM texts hold the same certificates in the same order, and keys for the same public
/// one: what stands around them, and how a private key is written, does not count.
bool is_same_pem(std::string_view left, std::string_view right);

}  // namespace kubernetes
