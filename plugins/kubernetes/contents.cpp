#include "plugins/kubernetes/contents.hpp"

#include "plugins/file/pkcs12_contents.hpp"
#include "plugins/json/base64.hpp"
#include "plugins/json/parts.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <certcast/free_with.hpp>
#include <certcast/pem.hpp>

#include <memory>
#include <string>
#include <utility>

namespace kubernetes {

namespace {

using certcast::detail::FreeWith;

using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// The public half of the key in a PEM text, as DER; empty where there is none.
std::string public_half(std::string_view pem) {
    const std::size_t begin = pem.find("PRIVATE KEY-----");
    if (begin == std::string_view::npos) return {};
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    // One that is encrypted cannot be read, and nobody is asked for a passphrase.
    const auto nobody = [](char*, int, int, void*) { return -1; };
    const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nobody, nullptr));
    ERR_clear_error();
    if (!key) return {};
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    if (size <= 0) return {};
    std::string bytes(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return bytes;
}

}  // namespace

certcast::Sensitive certificate_in(const boost::json::object& secret) {
    const auto text = json_parts::text_in(json_parts::part_of(secret, "data"), "tls.crt");
    return json_parts::from_base64(text.value_or("")).value_or(certcast::Sensitive());
}

bool is_same_pem(std::string_view left, std::string_view right) {
    if (left == right) return true;
    const auto certificates = certcast::certificates_in(left);
    const std::string key = public_half(left);
    return (!certificates.empty() || !key.empty()) &&
           certificates == certcast::certificates_in(right) && key == public_half(right);
}

bool is_same_entry(std::string_view left, std::string_view right,
                   const certcast::Sensitive& pkcs12_password) {
    if (left == right) return true;
    const auto one = json_parts::from_base64(left);
    const auto other = json_parts::from_base64(right);
    if (!one || !other) return false;
    if (is_same_pem(one->text(), other->text())) return true;
    const auto inside = read_pkcs12(one->text(), pkcs12_password);
    return inside && inside == read_pkcs12(other->text(), pkcs12_password);
}

}  // namespace kubernetes
