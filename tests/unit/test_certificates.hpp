#pragma once

#include "core/certificate/certificate_bundle.hpp"
#include "core/certificate/openssl.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace certcast::testing {

using namespace std::chrono_literals;

enum class KeyKind { rsa_2048, rsa_1024, rsa_pss, p256, p384, secp256k1, ed25519, x25519 };

/// A certificate and the key that it was issued for.
struct Issued {
    X509Ptr certificate;
    KeyPtr key;
};

struct CertificateWish {
    std::string subject = "shop.example";  ///< the common name
    /// "DNS:shop.example", "IP:192.0.2.1"; empty: no subjectAltName
    std::vector<std::string> names;
    const Issued* issuer = nullptr;  ///< self-signed without
    std::chrono::seconds begins_in = -1h;
    std::chrono::seconds ends_in = 24h * 90;
    bool is_ca = false;
    KeyKind key_kind = KeyKind::p256;
    const Issued* same_key_as = nullptr;
};

inline void require(bool done) {
    if (!done) throw std::runtime_error(take_openssl_failure().reason);
}

inline KeyPtr make_key(KeyKind kind) {
    EVP_PKEY* key = nullptr;
    switch (kind) {
        case KeyKind::rsa_2048:
            key = EVP_RSA_gen(2048);
            break;
        case KeyKind::rsa_1024:
            key = EVP_RSA_gen(1024);
            break;
        case KeyKind::rsa_pss: {
            const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
                EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr));
            require(context && EVP_PKEY_keygen_init(context.get()) == 1 &&
                    EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048) == 1 &&
                    EVP_PKEY_keygen(context.get(), &key) == 1);
            break;
        }
        case KeyKind::p256:
            key = EVP_EC_gen("P-256");
            break;
        case KeyKind::p384:
            key = EVP_EC_gen("P-384");
            break;
        case KeyKind::secp256k1:
            key = EVP_EC_gen("secp256k1");
            break;
        case KeyKind::ed25519:
            key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
            break;
        case KeyKind::x25519:
            key = EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519");
            break;
    }
    require(key != nullptr);
    return KeyPtr(key);
}

inline KeyPtr shared(const KeyPtr& key) {
    EVP_PKEY_up_ref(key.get());
    return KeyPtr(key.get());
}

inline X509Ptr shared(const X509Ptr& certificate) {
    X509_up_ref(certificate.get());
    return X509Ptr(certificate.get());
}

inline void add_extension(X509& certificate, int nid, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
    require(extension && X509_add_ext(&certificate, extension.get(), -1) == 1);
}

inline Issued make_certificate(const CertificateWish& wish) {
    Issued issued{X509Ptr(X509_new()),
                  wish.same_key_as ? shared(wish.same_key_as->key) : make_key(wish.key_kind)};
    X509* const certificate = issued.certificate.get();
    const Issued& issuer = wish.issuer ? *wish.issuer : issued;

    std::array<unsigned char, 15> serial{};
    require(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1);
    serial[0] |= 0x10;
    const BignumPtr number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wish.begins_in.count());
    X509_gmtime_adj(X509_getm_notAfter(certificate), wish.ends_in.count());
    if (!wish.subject.empty()) {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(wish.subject.c_str()), -1,
                                   -1, 0);
    }
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
    require(X509_set_pubkey(certificate, issued.key.get()) == 1);
    add_extension(*certificate, NID_basic_constraints,
                  wish.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!wish.names.empty()) {
        std::string names;
        for (const std::string& name : wish.names) names += (names.empty() ? "" : ",") + name;
        add_extension(*certificate, NID_subject_alt_name, names);
    }
    const bool digest_built_in = EVP_PKEY_is_a(issuer.key.get(), "ED25519");
    require(X509_sign(certificate, issuer.key.get(), digest_built_in ? nullptr : EVP_sha256()) > 0);
    return issued;
}

inline std::string text_of(BIO& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

inline std::string pem(const X509Ptr& certificate) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
    return text_of(*out);
}

inline std::string der(const X509Ptr& certificate) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(i2d_X509_bio(out.get(), certificate.get()) == 1);
    return text_of(*out);
}

/// PKCS#8, encrypted where a passphrase is given.
inline std::string pem(const KeyPtr& key, std::string_view passphrase = {}) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
    require(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), cipher, passphrase.data(),
                                          static_cast<int>(passphrase.size()), nullptr,
                                          nullptr) == 1);
    return text_of(*out);
}

/// "BEGIN EC PRIVATE KEY" or "BEGIN RSA PRIVATE KEY", with the old "Proc-Type" encryption.
inline std::string traditional_pem(const KeyPtr& key, std::string_view passphrase = {}) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
    require(PEM_write_bio_PrivateKey_traditional(
                out.get(), key.get(), cipher,
                reinterpret_cast<const unsigned char*>(passphrase.data()),
                static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
    return text_of(*out);
}

inline std::string pem_of_public(const KeyPtr& key) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_PUBKEY(out.get(), key.get()) == 1);
    return text_of(*out);
}

inline std::string der(const KeyPtr& key) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(i2d_PKCS8PrivateKey_bio(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
    return text_of(*out);
}

}  // namespace certcast::testing
