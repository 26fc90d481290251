#include "core/certificate/convert.hpp"

#include "core/certificate/facts.hpp"
#include "core/certificate/openssl.hpp"

#include <certcast/plugin.h>
#include <openssl/pem.h>

#include <algorithm>
#include <string>

namespace certcast {

namespace {

using CertificateStackPtr =
    std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * stack) { sk_X509_free(stack); })>;

constexpr int pkcs12_iterations = 10'000;

unsigned char* raw(Secret& secret) {
    return reinterpret_cast<unsigned char*>(secret.data());
}

// i2d functions tell the size first, so that the only copy is made in wiped memory.
template <typename T>
Secret encoded(int (*i2d)(const T*, unsigned char**), const T& object) {
    const int size = i2d(&object, nullptr);
    if (size <= 0) return {};
    Secret der = Secret::of_size(static_cast<std::size_t>(size));
    unsigned char* at = raw(der);
    i2d(&object, &at);
    return der;
}

Secret content_of(BIO& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    return Secret(std::string_view(data, static_cast<std::size_t>(size)));
}

Error conversion_failed(const std::string& what) {
    return {ErrorCode::internal,
            "OpenSSL could not write " + what + " (" + take_openssl_failure().reason + ")",
            {}};
}

Secret bytes_of(std::span<const std::uint8_t> bytes) {
    return Secret(std::as_bytes(bytes));
}

/// How much of the text's begin stands in `known`, or 0 where that could be chance.
std::size_t common_run(std::string_view text, std::string_view known) {
    constexpr std::size_t least = 8;
    std::size_t run = std::min(least, text.size());
    if (run < least || known.find(text.substr(0, run)) == std::string_view::npos) return 0;
    while (run < text.size() && known.find(text.substr(0, run + 1)) != std::string_view::npos) {
        ++run;
    }
    return run;
}

Secret names_text(const X509& leaf) {
    std::string text;
    for (const std::string& name : names_of(leaf)) text += name + "\n";
    return Secret(text);
}

}  // namespace

Secret der_of(const X509& certificate) {
    return encoded(i2d_X509, certificate);
}

Result<Secret> pem_of(const std::vector<const X509*>& certificates) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    for (const X509* certificate : certificates) {
        if (!out || PEM_write_bio_X509(out.get(), certificate) != 1) {
            return conversion_failed("a certificate as PEM");
        }
    }
    return content_of(*out);
}

Result<Secret> key_der(const EVP_PKEY& key) {
    const Pkcs8Ptr info(EVP_PKEY2PKCS8(&key));
    if (!info) return conversion_failed("the private key as PKCS#8");
    return encoded(i2d_PKCS8_PRIV_KEY_INFO, *info);
}

std::vector<Secret> private_parts(const EVP_PKEY& key) {
    constexpr std::size_t least = 16;  // what is shorter only begins any key of its kind
    const auto whole = key_der(key);
    if (whole.has_error()) return {};
    const Secret known = encoded(i2d_PUBKEY, key);
    std::vector<Secret> parts;
    std::string_view rest = whole->text();
    while (!rest.empty()) {
        std::size_t size = 0;
        while (size < rest.size() && common_run(rest.substr(size), known.text()) == 0) ++size;
        if (size >= least) parts.emplace_back(rest.substr(0, size));
        rest.remove_prefix(size);
        rest.remove_prefix(common_run(rest, known.text()));
    }
    return parts;
}

Result<Secret> key_pem(const EVP_PKEY& key) {
    auto der = key_der(key);
    if (der.has_error()) return der;
    const BioPtr out(BIO_new(BIO_s_secmem()));
    if (!out || PEM_write_bio(out.get(), PEM_STRING_PKCS8INF, "", raw(*der),
                              static_cast<long>(der->size())) <= 0) {
        return conversion_failed("the private key as PEM");
    }
    return content_of(*out);
}

Result<Secret> pkcs12_of(const Pkcs12Contents& contents, std::string_view password,
                         std::string_view friendly_name, Pkcs12Profile profile) {
    const std::string name(friendly_name);
    if (name.find('\0') != std::string::npos || password.find('\0') != std::string_view::npos) {
        return Error{ErrorCode::invalid,
                     "the password or friendly name of a PKCS#12 file cannot hold a NUL byte",
                     {}};
    }
    const CertificateStackPtr chain(sk_X509_new_null());
    for (const X509Ptr& certificate : contents.chain) {
        if (!chain || sk_X509_push(chain.get(), certificate.get()) == 0) {
            return conversion_failed("PKCS#12");
        }
    }
    const Secret pass = terminated(password);
    const bool legacy = profile == Pkcs12Profile::legacy;
    const int cipher = legacy ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc;
    // An iteration count of -1 leaves the MAC to PKCS12_set_mac, which lets its digest be chosen.
    const Pkcs12Ptr pkcs12(PKCS12_create(pass.text().data(), name.empty() ? nullptr : name.c_str(),
                                         &contents.key, &contents.leaf, chain.get(), cipher, cipher,
                                         pkcs12_iterations, -1, 0));
    if (!pkcs12 || PKCS12_set_mac(pkcs12.get(), pass.text().data(), -1, nullptr, 0,
                                  pkcs12_iterations, legacy ? EVP_sha1() : EVP_sha256()) != 1) {
        return conversion_failed("PKCS#12");
    }
    return encoded(i2d_PKCS12, *pkcs12);
}

bool is_material_of_leaf(std::uint32_t kind) {
    switch (kind) {
        case CERTCAST_LEAF_PEM:
        case CERTCAST_LEAF_DER:
        case CERTCAST_SHA256:
        case CERTCAST_SPKI_SHA256:
        case CERTCAST_SERIAL:
        case CERTCAST_NAMES:
        case CERTCAST_NOT_BEFORE:
        case CERTCAST_NOT_AFTER:
            return true;
        default:
            return false;
    }
}

Result<Secret> material_of_leaf(const X509& leaf, std::uint32_t kind) {
    switch (kind) {
        case CERTCAST_LEAF_PEM:
            return pem_of({&leaf});
        case CERTCAST_LEAF_DER:
            return der_of(leaf);
        case CERTCAST_SHA256:
            return bytes_of(fingerprint_of(leaf));
        case CERTCAST_SPKI_SHA256:
            return bytes_of(spki_fingerprint_of(leaf));
        case CERTCAST_SERIAL:
            return bytes_of(serial_of(leaf));
        case CERTCAST_NAMES:
            return names_text(leaf);
        default:
            break;
    }
    const auto validity = validity_of(leaf);
    if (validity.has_error()) return validity.error();
    return Secret(
        std::to_string(kind == CERTCAST_NOT_BEFORE ? validity->not_before : validity->not_after));
}

namespace {

Result<X509Ptr> certificate_in(std::span<const std::byte> der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (certificate) return certificate;
    return Error{
        ErrorCode::invalid, "not a certificate in DER (" + take_openssl_failure().reason + ")", {}};
}

}  // namespace

Result<LeafFacts> facts_of_der(std::span<const std::byte> der) {
    const Result<X509Ptr> certificate = certificate_in(der);
    if (!certificate) return certificate.error();
    const Result<Validity> validity = validity_of(**certificate);
    if (!validity) return validity.error();
    using Clock = std::chrono::system_clock;
    return LeafFacts{.issuer = issuer_of(**certificate),
                     .names = names_of(**certificate),
                     .not_before = Clock::from_time_t(validity->not_before),
                     .not_after = Clock::from_time_t(validity->not_after)};
}

Result<Secret> material_of_der(std::span<const std::byte> der, std::uint32_t kind) {
    const Result<X509Ptr> certificate = certificate_in(der);
    if (!certificate) return certificate.error();
    if (!is_material_of_leaf(kind)) {
        return Error{ErrorCode::not_found,
                     "of the former certificate only the leaf is known: its PEM, DER, digests, "
                     "serial number, names and validity can be asked for",
                     {}};
    }
    return material_of_leaf(**certificate, kind);
}

}  // namespace certcast
