#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace certcast {

/// Certificates in the order in which a server sends them, the root apart.
struct Chain {
    X509Ptr leaf;
    std::vector<X509Ptr> intermediates;
    X509Ptr root;  ///< only if it was among them
    std::vector<std::string> warnings;
};

/// Finds the leaf and the signatures that lead up from it. Refuses when there is no leaf or more
/// than one, and when certificates are left over where an issuer is missing, unless a broken chain
/// is allowed.
Result<Chain> order_chain(std::vector<X509Ptr> certificates,
                          std::chrono::system_clock::time_point now, const std::string& where,
                          bool allow_broken);

}  // namespace certcast
