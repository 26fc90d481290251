// SPDX-License-Identifier: Apache-2.0
//
// What OpenSSL sets up at the first TLS connection of a process is set up here, when the plugin is
// loaded, and so once for all attempts that are forked from there instead of in each of them.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <certcast/free_with.hpp>

#include <memory>

namespace certcast::http {

namespace {

using Key = std::unique_ptr<EVP_PKEY, detail::FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, detail::FreeWith<X509_free>>;
using Context = std::unique_ptr<SSL_CTX, detail::FreeWith<SSL_CTX_free>>;
using Connection = std::unique_ptr<SSL, detail::FreeWith<SSL_free>>;

Certificate certificate_for(EVP_PKEY* key) {
    Certificate certificate(X509_new());
    if (!certificate || key == nullptr) return nullptr;
    constexpr long hour = 3600;
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -hour);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), hour);
    X509_set_pubkey(certificate.get(), key);
    return X509_sign(certificate.get(), key, EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

/// Whatever fails is left for the first connection, which says what is wrong.
bool connect_to_itself() {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = certificate_for(key.get());
    const Context here(SSL_CTX_new(TLS_client_method()));
    const Context there(SSL_CTX_new(TLS_server_method()));
    if (!certificate || !here || !there) return false;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(here.get()), certificate.get());
    SSL_CTX_set_verify(here.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_use_certificate(there.get(), certificate.get());
    SSL_CTX_use_PrivateKey(there.get(), key.get());
    const Connection client(SSL_new(here.get()));
    const Connection server(SSL_new(there.get()));
    BIO* one = nullptr;
    BIO* other = nullptr;
    if (!client || !server || BIO_new_bio_pair(&one, 0, &other, 0) != 1) return false;
    SSL_set_bio(client.get(), one, one);
    SSL_set_bio(server.get(), other, other);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    bool is_done = false;
    for (int turns = 0; turns < 8 && !is_done; ++turns) {
        SSL_do_handshake(client.get());
        SSL_do_handshake(server.get());
        is_done =
            SSL_is_init_finished(client.get()) == 1 && SSL_is_init_finished(server.get()) == 1;
    }
    ERR_clear_error();
    return is_done;
}

[[maybe_unused]] const bool is_set_up = connect_to_itself();

}  // namespace

}  // namespace certcast::http
