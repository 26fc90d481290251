#include "plugins/file/pkcs12_contents.hpp"

#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <certcast/free_with.hpp>

#include <memory>
#include <utility>

namespace {

using certcast::detail::FreeWith;

template <auto Encode, typename T>
certcast::Sensitive der_of(T* object) {
    unsigned char* out = nullptr;
    const int size = Encode(object, &out);
    if (size <= 0) return {};
    certcast::Sensitive der(
        std::string_view(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size)));
    OPENSSL_clear_free(out, static_cast<std::size_t>(size));
    return der;
}

std::string certificate_der(X509* certificate) {
    return std::string(der_of<&i2d_X509>(certificate).text());
}

void free_certificates(STACK_OF(X509) * certificates) {
    sk_X509_pop_free(certificates, X509_free);
}

}  // namespace

std::optional<Pkcs12Contents> read_pkcs12(std::string_view bytes,
                                          const certcast::Sensitive& password) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    const std::unique_ptr<PKCS12, FreeWith<PKCS12_free>> file(
        d2i_PKCS12(nullptr, &data, static_cast<long>(bytes.size())));
    if (!file) return std::nullopt;
    certcast::Sensitive ended = password;
    ended.resize(password.size() + 1);
    EVP_PKEY* key = nullptr;
    X509* leaf = nullptr;
    STACK_OF(X509)* chain = nullptr;
    const int parsed = PKCS12_parse(file.get(), ended.data(), &key, &leaf, &chain);
    const std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>> own_key(key);
    const std::unique_ptr<X509, FreeWith<X509_free>> own_leaf(leaf);
    const std::unique_ptr<STACK_OF(X509), FreeWith<free_certificates>> own_chain(chain);
    if (parsed != 1 || !own_leaf) return std::nullopt;

    Pkcs12Contents contents;
    contents.leaf = certificate_der(leaf);
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        contents.chain.push_back(certificate_der(sk_X509_value(chain, i)));
    }
    if (own_key) contents.key = der_of<&i2d_PrivateKey>(own_key.get());
    const X509_ALGOR* digest = nullptr;
    PKCS12_get0_mac(nullptr, &digest, nullptr, nullptr, file.get());
    if (digest != nullptr) {
        const ASN1_OBJECT* name = nullptr;
        X509_ALGOR_get0(&name, nullptr, nullptr, digest);
        contents.mac_digest = OBJ_obj2nid(name);
    }
    int size = 0;
    if (const unsigned char* name = X509_alias_get0(leaf, &size); name != nullptr && size > 0) {
        contents.friendly_name.assign(reinterpret_cast<const char*>(name),
                                      static_cast<std::size_t>(size));
    }
    return contents;
}
