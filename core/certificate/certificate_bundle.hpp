#pragma once

#include "core/base/error.hpp"
#include "core/base/secret.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

struct OpensslFree {
    void operator()(X509* x509) const { X509_free(x509); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using X509Ptr = std::unique_ptr<X509, OpensslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree>;

using Sha256 = std::array<std::uint8_t, 32>;
Sha256 sha256_of(std::string_view bytes);
/// Lower-case hexadecimal, without separators.
std::string to_hex(const Sha256& digest);

/// What a bundle is made of: parsed, in any order, with duplicates, from any number of sources.
struct CertificateParts {
    std::vector<X509Ptr> certificates;
    std::vector<KeyPtr> keys;
    std::vector<std::string> warnings;
    /// The first file that could not be read or decrypted: the reason, if anything is missing.
    std::optional<Error> missed;
    std::string where;  ///< for messages
};

struct BundleRules {
    bool allow_outside_validity = false;
    bool allow_broken_chain = false;  ///< then it is sent as far as it goes
    bool allow_wrong_key = false;     ///< then there is none
    bool without_key = false;
    std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

/// PKCS#12 as current software writes it, or as old Java and Windows read it.
enum class Pkcs12Profile : std::uint32_t { modern = 0, legacy = 1 };

/// One certificate ready to be deployed: leaf, intermediates in order, private key. Immutable.
class CertificateBundle {
public:
    /// Normalises (leaf first, chain in order, duplicates and root dropped) and refuses what would
    /// not serve: no or several leaves, a key that does not match, a broken chain, weak keys, a
    /// validity that does not include now.
    static Result<CertificateBundle> from(CertificateParts parts, const BundleRules& rules);

    const Sha256& sha256() const { return sha256_; }
    const Sha256& spki_sha256() const { return spki_sha256_; }
    std::string serial_hex() const;
    const std::string& subject() const { return subject_; }
    const std::string& issuer() const { return issuer_; }
    /// DNS names and IP addresses of the leaf.
    const std::vector<std::string>& names() const { return names_; }
    std::chrono::system_clock::time_point not_before() const { return not_before_; }
    std::chrono::system_clock::time_point not_after() const { return not_after_; }
    /// "RSA 2048", "ECDSA P-256", "Ed25519".
    const std::string& key_type() const { return key_type_; }
    bool has_key() const { return key_ != nullptr; }
    std::size_t chain_length() const { return chain_.size(); }
    const std::vector<std::string>& warnings() const { return warnings_; }

    /// Any kind that a plugin can ask for (CERTCAST_LEAF_PEM and the like). password and
    /// friendly_name are for PKCS#12 only.
    Result<Secret> material(std::uint32_t kind, std::string_view password = {},
                            std::string_view friendly_name = {},
                            Pkcs12Profile profile = Pkcs12Profile::modern) const;

    /// What of the private key's DER must not be shown: what its certificate tells is left out.
    std::vector<Secret> private_parts() const;

private:
    CertificateBundle() = default;

    X509Ptr leaf_;
    std::vector<X509Ptr> chain_;
    X509Ptr root_;
    KeyPtr key_;
    Secret key_pem_;
    Sha256 sha256_{};
    Sha256 spki_sha256_{};
    std::string subject_;
    std::string issuer_;
    std::vector<std::string> names_;
    std::chrono::system_clock::time_point not_before_;
    std::chrono::system_clock::time_point not_after_;
    std::string key_type_;
    std::vector<std::string> warnings_;
};

/// What a certificate says of itself.
struct LeafFacts {
    std::string issuer;
    std::vector<std::string> names;  ///< DNS names and IP addresses
    std::chrono::system_clock::time_point not_before;
    std::chrono::system_clock::time_point not_after;
};
Result<LeafFacts> facts_of_der(std::span<const std::byte> der);

/// Whether a certificate for the one is for the other, too: "*.shop.example" for "a.shop.example".
bool covers_name(const std::string& pattern, const std::string& name);

/// The same kinds of material as far as a single DER certificate allows: for what was there before.
Result<Secret> material_of_der(std::span<const std::byte> der, std::uint32_t kind);

}  // namespace certcast
