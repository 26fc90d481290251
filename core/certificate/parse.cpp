#include "core/certificate/parse.hpp"

#include "core/certificate/openssl.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <string_view>

namespace certcast {

namespace {

constexpr std::size_t most_certificates = 1000;

struct FreeSecure {
    std::size_t size = 0;
    void operator()(void* data) const { OPENSSL_secure_clear_free(data, size); }
};

/// One block of a PEM file, still encoded.
struct PemBlock {
    std::string name;
    std::unique_ptr<char, FreeSecure> header;
    std::unique_ptr<unsigned char, FreeSecure> data;
    long size = 0;
};

// OpenSSL would otherwise ask on the terminal.
int give_passphrase(char* buffer, int size, int /*writing*/, void* passphrase) {
    const auto text = static_cast<const Secret*>(passphrase)->text();
    if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
    std::copy(text.begin(), text.end(), buffer);
    return static_cast<int>(text.size());
}

template <typename Handle, typename Decode>
Handle decode_whole(std::span<const std::byte> der, Decode decode) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const auto* const end = at + der.size();
    Handle handle(decode(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    return at == end ? std::move(handle) : Handle();
}

/// Goes through one file.
class Parser {
public:
    Parser(CertificateParts& parts, const Secret& passphrase, const std::string& where)
        : parts_(parts), passphrase_(passphrase.clone()), where_(where) {}

    Result<void> pem(std::span<const std::byte> content);
    Result<void> der(std::span<const std::byte> content);
    const Found& found() const { return found_; }

private:
    Error error(std::string message) const {
        return {ErrorCode::invalid, std::move(message), where_};
    }
    Error damaged(const std::string& what);
    Error not_decrypted(const std::string& what);
    Result<void> block(PemBlock& block);
    Result<void> add(X509Ptr certificate);
    Result<void> add(KeyPtr key);
    Result<void> encrypted_key(const X509_SIG& sealed);
    Result<void> pkcs12(PKCS12& pkcs12);

    CertificateParts& parts_;
    Secret passphrase_;
    const std::string& where_;
    Found found_;
};

Error Parser::damaged(const std::string& what) {
    return error(what + " is damaged (" + take_openssl_failure().reason +
                 "): expected a complete one; fetch the file again");
}

Error Parser::not_decrypted(const std::string& what) {
    const OpensslFailure failure = take_openssl_failure();
    if (failure.unsupported) {
        return error(
            what +
            " is encrypted with an algorithm that OpenSSL 3 does not read by default, such "
            "as RC2-40: re-export it with AES-256, for instance by opening it with "
            "\"openssl pkcs12 -legacy\" and writing it with \"openssl pkcs12 -export\"");
    }
    if (passphrase_.empty()) {
        return error(what +
                     " is encrypted and no passphrase is given: give the certificate's passphrase, "
                     "or a file that is not encrypted");
    }
    return error("the passphrase does not open " + what + ": expected the one it was written with");
}

Result<void> Parser::add(X509Ptr certificate) {
    if (!certificate) return damaged("a certificate");
    if (parts_.certificates.size() >= most_certificates) {
        return error("more than " + std::to_string(most_certificates) +
                     " certificates: expected one certificate and its chain");
    }
    parts_.certificates.push_back(std::move(certificate));
    found_.certificate = true;
    return {};
}

Result<void> Parser::add(KeyPtr key) {
    if (!key) {
        const OpensslFailure failure = take_openssl_failure();
        return error("the private key cannot be read (" + failure.reason +
                     "): expected a complete RSA, ECDSA or Ed25519 key in PKCS#8, SEC 1 or PKCS#1");
    }
    parts_.keys.push_back(std::move(key));
    found_.key = true;
    return {};
}

Result<void> Parser::encrypted_key(const X509_SIG& sealed) {
    if (passphrase_.empty()) return not_decrypted("the private key");
    const auto text = passphrase_.text();
    const Pkcs8Ptr info(PKCS8_decrypt(&sealed, text.data(), static_cast<int>(text.size())));
    if (!info) return not_decrypted("the private key");
    return add(KeyPtr(EVP_PKCS82PKEY(info.get())));
}

Result<void> Parser::pkcs12(PKCS12& pkcs12) {
    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    STACK_OF(X509)* others = nullptr;
    const Secret text = terminated(passphrase_.text());
    // None at all is not the same as an empty one.
    const char* const passphrase = passphrase_.empty() ? nullptr : text.text().data();
    if (PKCS12_parse(&pkcs12, passphrase, &key, &certificate, &others) != 1) {
        return not_decrypted("the PKCS#12 file");
    }
    KeyPtr owned_key(key);
    X509Ptr owned_certificate(certificate);
    Result<void> outcome;
    if (owned_key) outcome = add(std::move(owned_key));
    if (owned_certificate && outcome) outcome = add(std::move(owned_certificate));
    while (X509* const other = sk_X509_shift(others)) {
        X509Ptr owned(other);
        if (outcome) outcome = add(std::move(owned));
    }
    sk_X509_free(others);
    ERR_clear_error();
    return outcome;
}

Result<void> Parser::block(PemBlock& block) {
    EVP_CIPHER_INFO cipher{};
    if (PEM_get_EVP_CIPHER_INFO(block.header.get(), &cipher) != 1) return damaged(block.name);
    if (cipher.cipher != nullptr) {
        if (passphrase_.empty() || PEM_do_header(&cipher, block.data.get(), &block.size,
                                                 give_passphrase, &passphrase_) != 1) {
            return not_decrypted("the private key");
        }
    }
    const unsigned char* at = block.data.get();
    if (block.name == PEM_STRING_X509 || block.name == PEM_STRING_X509_OLD) {
        return add(X509Ptr(d2i_X509(nullptr, &at, block.size)));
    }
    if (block.name == PEM_STRING_X509_TRUSTED) {
        return add(X509Ptr(d2i_X509_AUX(nullptr, &at, block.size)));
    }
    if (block.name == PEM_STRING_PKCS8) {
        const EncryptedKeyPtr sealed(d2i_X509_SIG(nullptr, &at, block.size));
        return sealed ? encrypted_key(*sealed) : damaged("the encrypted private key");
    }
    if (block.name.ends_with("PRIVATE KEY")) {
        return add(KeyPtr(d2i_AutoPrivateKey(nullptr, &at, block.size)));
    }
    return {};
}

Result<void> Parser::pem(std::span<const std::byte> content) {
    const BioPtr in(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
    for (;;) {
        char* name = nullptr;
        char* header = nullptr;
        unsigned char* data = nullptr;
        long size = 0;
        if (PEM_read_bio_ex(in.get(), &name, &header, &data, &size, PEM_FLAG_SECURE) != 1) {
            if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
                return damaged("a PEM block");
            }
            ERR_clear_error();
            return {};
        }
        PemBlock next;
        next.name = name;
        OPENSSL_secure_free(name);
        next.header = {header, FreeSecure{std::char_traits<char>::length(header)}};
        next.data = {data, FreeSecure{static_cast<std::size_t>(size)}};
        next.size = size;
        if (auto done = block(next); !done) return done;
    }
}

Result<void> Parser::der(std::span<const std::byte> content) {
    if (auto certificate = decode_whole<X509Ptr>(content, d2i_X509)) {
        return add(std::move(certificate));
    }
    if (const auto sealed = decode_whole<Pkcs12Ptr>(content, d2i_PKCS12)) return pkcs12(*sealed);
    if (const auto sealed = decode_whole<EncryptedKeyPtr>(content, d2i_X509_SIG)) {
        return encrypted_key(*sealed);
    }
    if (auto key = decode_whole<KeyPtr>(content, d2i_AutoPrivateKey)) return add(std::move(key));
    return {};
}

}  // namespace

Result<Found> parse_into(CertificateParts& parts, const Secret& content, const Secret& passphrase,
                         const std::string& where) {
    constexpr std::byte sequence{0x30};
    ERR_clear_error();
    Parser parser(parts, passphrase, where);
    Result<void> outcome;
    const auto bytes = content.bytes();
    if (content.text().find("-----BEGIN ") != std::string_view::npos) {
        outcome = parser.pem(bytes);
    } else if (!bytes.empty() && bytes.front() == sequence) {
        outcome = parser.der(bytes);
    }
    if (outcome.has_error()) return outcome.error();
    return parser.found();
}

}  // namespace certcast
