#include "core/certificate/parse.hpp"

#include "core/certificate/openssl.hpp"
#include "core/certificate/password_rounds.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <string_view>

namespace certcast {

namespace {

constexpr std::size_t most_certificates = 100;
constexpr int deepest_safe = 4;
// A few seconds' work; OpenSSL itself writes 2,048, and those who are careful a million.
constexpr std::uint64_t most_password_rounds = 5'000'000;

struct FreeSafes {
    void operator()(STACK_OF(PKCS7) * safes) const { sk_PKCS7_pop_free(safes, PKCS7_free); }
    void operator()(STACK_OF(PKCS12_SAFEBAG) * bags) const {
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
};
using SafesPtr = std::unique_ptr<STACK_OF(PKCS7), FreeSafes>;
using BagsPtr = std::unique_ptr<STACK_OF(PKCS12_SAFEBAG), FreeSafes>;

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

/// Nothing where it is of a kind (DSA, DH) that no TLS server has. OpenSSL works out the public
/// half of those as it reads them, for hours where the numbers in them are long.
KeyPtr key_of(const PKCS8_PRIV_KEY_INFO* info) {
    const ASN1_OBJECT* algorithm = nullptr;
    if (info == nullptr) return nullptr;
    PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info);
    switch (OBJ_obj2nid(algorithm)) {
        case NID_rsaEncryption:
        case NID_rsassaPss:
        case NID_X9_62_id_ecPublicKey:
        case NID_ED25519:
        case NID_ED448:
        case NID_X25519:
        case NID_X448:
            return KeyPtr(EVP_PKCS82PKEY(info));
        default:
            return nullptr;
    }
}

/// PKCS#8, or as each algorithm had it before. As OpenSSL's own d2i functions.
EVP_PKEY* d2i_server_key(EVP_PKEY** /*reused*/, const unsigned char** at, long size) {
    const unsigned char* const begin = *at;
    if (const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, at, size)); info) {
        return key_of(info.get()).release();
    }
    ERR_clear_error();
    *at = begin;
    return d2i_AutoPrivateKey(nullptr, at, size);
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
    Result<void> pkcs12(const PKCS12& pkcs12);
    bool is_for(const PKCS12& pkcs12);
    Result<void> safe(PKCS7& safe);
    Result<void> bags(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth);
    Result<void> bag(const PKCS12_SAFEBAG& bag, int depth);
    Result<void> afford(std::uint64_t rounds, const std::string& what);
    Result<void> afford(const X509_ALGOR& algorithm, const std::string& what) {
        return afford(password_rounds(algorithm), what);
    }

    CertificateParts& parts_;
    Secret passphrase_;
    const std::string& where_;
    Found found_;
    std::uint64_t rounds_ = 0;  ///< spent so far
    // Of PKCS#12, where none at all is not the same as an empty one.
    const char* password_ = nullptr;
    int password_size_ = 0;
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
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(&sealed, &algorithm, nullptr);
    if (auto can = afford(*algorithm, "the private key"); !can) return can;
    if (passphrase_.empty()) return not_decrypted("the private key");
    const auto text = passphrase_.text();
    const Pkcs8Ptr info(PKCS8_decrypt(&sealed, text.data(), static_cast<int>(text.size())));
    if (!info) return not_decrypted("the private key");
    return add(key_of(info.get()));
}

/// Before a password is tried: a file may ask for so much work that it never ends.
Result<void> Parser::afford(std::uint64_t rounds, const std::string& what) {
    if (rounds <= most_password_rounds - rounds_) {
        rounds_ += rounds;
        return {};
    }
    return error(what + " asks for more than " + std::to_string(most_password_rounds) +
                 " rounds of hashing its passphrase, which would take for ever: export it anew, "
                 "with fewer");
}

/// Whether the passphrase is the one that the file was written with.
bool Parser::is_for(const PKCS12& pkcs12) {
    // OpenSSL takes a file that it changes, and changes nothing.
    auto& file = const_cast<PKCS12&>(pkcs12);
    if (PKCS12_mac_present(&file) != 1) return true;
    if (PKCS12_verify_mac(&file, password_, password_size_) == 1) return true;
    if (password_ != nullptr) return false;
    password_ = "";
    return PKCS12_verify_mac(&file, password_, 0) == 1;
}

Result<void> Parser::bag(const PKCS12_SAFEBAG& bag, int depth) {
    switch (PKCS12_SAFEBAG_get_nid(&bag)) {
        case NID_certBag:
            if (PKCS12_SAFEBAG_get_bag_nid(&bag) != NID_x509Certificate) return {};
            return add(X509Ptr(PKCS12_SAFEBAG_get1_cert(&bag)));
        case NID_keyBag:
            return add(key_of(PKCS12_SAFEBAG_get0_p8inf(&bag)));
        case NID_safeContentsBag:
            return bags(PKCS12_SAFEBAG_get0_safes(&bag), depth + 1);
        case NID_pkcs8ShroudedKeyBag:
            break;
        default:
            return {};
    }
    const X509_SIG* sealed = PKCS12_SAFEBAG_get0_pkcs8(&bag);
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(sealed, &algorithm, nullptr);
    if (auto can = afford(*algorithm, "the PKCS#12 file"); !can) return can;
    const Pkcs8Ptr info(PKCS8_decrypt(sealed, password_, password_size_));
    if (!info) return not_decrypted("the PKCS#12 file");
    return add(key_of(info.get()));
}

Result<void> Parser::bags(const STACK_OF(PKCS12_SAFEBAG) * all, int depth) {
    if (depth > deepest_safe) return damaged("the PKCS#12 file");
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(all); ++i) {
        if (auto done = bag(*sk_PKCS12_SAFEBAG_value(all, i), depth); !done) return done;
    }
    return {};
}

Result<void> Parser::safe(PKCS7& safe) {
    const int kind = OBJ_obj2nid(safe.type);
    if (kind == NID_pkcs7_encrypted) {
        const PKCS7_ENCRYPT* encrypted = safe.d.encrypted;
        if (auto can = afford(*encrypted->enc_data->algorithm, "the PKCS#12 file"); !can)
            return can;
        const BagsPtr all(PKCS12_unpack_p7encdata(&safe, password_, password_size_));
        return all ? bags(all.get(), 0) : not_decrypted("the PKCS#12 file");
    }
    if (kind != NID_pkcs7_data) return {};
    const BagsPtr all(PKCS12_unpack_p7data(&safe));
    return all ? bags(all.get(), 0) : damaged("the PKCS#12 file");
}

Result<void> Parser::pkcs12(const PKCS12& pkcs12) {
    const ASN1_INTEGER* iterations = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &iterations, &pkcs12);
    std::uint64_t rounds = 1;
    if (iterations != nullptr && ASN1_INTEGER_get_uint64(&rounds, iterations) != 1) {
        rounds = most_password_rounds;
    }
    // Tried twice where there is no passphrase.
    if (auto can = afford(2 * std::min(rounds, most_password_rounds), "the PKCS#12 file"); !can) {
        return can;
    }
    if (!passphrase_.empty()) {
        password_ = passphrase_.text().data();
        password_size_ = static_cast<int>(passphrase_.size());
    }
    if (!is_for(pkcs12)) return not_decrypted("the PKCS#12 file");
    const SafesPtr safes(PKCS12_unpack_authsafes(&pkcs12));
    if (!safes) return damaged("the PKCS#12 file");
    for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
        if (auto done = safe(*sk_PKCS7_value(safes.get(), i)); !done) return done;
    }
    ERR_clear_error();
    return {};
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
        KeyPtr key(d2i_server_key(nullptr, &at, block.size));
        // All that tells another passphrase here is the padding, which one of 256 gets right.
        if (!key && cipher.cipher != nullptr) {
            ERR_clear_error();
            return not_decrypted("the private key");
        }
        return add(std::move(key));
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
    if (auto key = decode_whole<KeyPtr>(content, d2i_server_key)) return add(std::move(key));
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
