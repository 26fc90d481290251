#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace certcast {

Secret der_of(const X509& certificate);
/// One after the other.
Result<Secret> pem_of(const std::vector<const X509*>& certificates);

/// PKCS#8, not encrypted.
Result<Secret> key_der(const EVP_PKEY& key);
Result<Secret> key_pem(const EVP_PKEY& key);
/// The runs of the key's PKCS#8 that its public key does not hold as well.
std::vector<Secret> private_parts(const EVP_PKEY& key);

struct Pkcs12Contents {
    EVP_PKEY& key;
    X509& leaf;
    const std::vector<X509Ptr>& chain;
};
Result<Secret> pkcs12_of(const Pkcs12Contents& contents, std::string_view password,
                         std::string_view friendly_name, Pkcs12Profile profile);

/// What follows from one certificate alone: its own PEM and DER, and all the facts.
bool is_material_of_leaf(std::uint32_t kind);
/// REQUIRES: is_material_of_leaf(kind).
Result<Secret> material_of_leaf(const X509& leaf, std::uint32_t kind);

}  // namespace certcast
