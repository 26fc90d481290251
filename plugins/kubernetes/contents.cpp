#include "plugins/kubernetes/contents.hpp"

#include "plugins/kubernetes/base64.hpp"
#include "plugins/kubernetes/parts.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <certcast/errors.hpp>
#include <certcast/free_with.hpp>
#include <certcast/pem.hpp>

#include <memory>
#include <string>
#include <utility>

namespace kubernetes {

namespace {

using certcast::detail::FreeWith;

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// The key in a PEM text; nothing where there is none that can be read.
Key key_in(std::string_view pem) {
    if (pem.find("PRIVATE KEY-----") == std::string_view::npos) return nullptr;
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // One that is encrypted cannot be read, and nobody is asked for a passphrase.
    const auto nobody = [](char*, int, int, void*) { return -1; };
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nobody, nullptr));
    ERR_clear_error();
    return key;
}

/// Its public half as DER; empty where there is no key.
std::string public_half(std::string_view pem) {
    const Key key = key_in(pem);
    if (!key) return {};
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    if (size <= 0) return {};
    std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

}  // namespace

Contents contents_of(const boost::json::object& secret) {
    Contents contents;
    for (const auto& [name, value] : part_of(secret, "data")) {
        const boost::json::string* const text = value.if_string();
        std::optional<certcast::Sensitive> bytes;
        if (text != nullptr) bytes = from_base64({text->data(), text->size()});
        contents[std::string(name)] = std::move(bytes).value_or(certcast::Sensitive());
    }
    return contents;
}

certcast::Sensitive certificate_in(const boost::json::object& secret) {
    const Contents contents = contents_of(secret);
    const auto found = contents.find("tls.crt");
    return found != contents.end() ? found->second : certcast::Sensitive();
}

bool is_same_pem(std::string_view left, std::string_view right) {
    if (left == right) return true;
    const auto certificates = certcast::certificates_in(left);
    const std::string key = public_half(left);
    return (!certificates.empty() || !key.empty()) &&
           certificates == certcast::certificates_in(right) && key == public_half(right);
}

void expect_pair(std::string_view fullchain, const certcast::Sensitive& key) {
    const auto leaf = certcast::first_certificate(fullchain);
    Certificate certificate;
    if (leaf) {
        const auto* at = reinterpret_cast<const unsigned char*>(leaf->data());
        certificate.reset(d2i_X509(nullptr, &at, static_cast<long>(leaf->size())));
    }
    const Key own = key_in(key.text());
    const bool belongs =
        certificate && own && X509_check_private_key(certificate.get(), own.get()) == 1;
    ERR_clear_error();
    if (belongs) return;
    throw certcast::config_error(!certificate ? "the certificate is no PEM that can be read"
                                 : !own       ? "the key is no PEM that can be read"
                                              : "the key is not that of the certificate: whatever "
                                                "serves the secret could not use it");
}

}  // namespace kubernetes
