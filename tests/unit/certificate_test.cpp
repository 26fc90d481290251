#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/base/redactor.hpp"
#include "core/certificate/password_rounds.hpp"
#include "tests/unit/test_authority.hpp"

#include <openssl/conf.h>
#include <openssl/core_names.h>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("the facts are those of the leaf") {
    const auto bundle = load_text(fullchain() + pem(ca().leaf.key));
    REQUIRE(bundle.has_value());
    CHECK(bundle->subject() == "CN=shop.example");
    CHECK(bundle->issuer() == "CN=Test Intermediate");
    CHECK(bundle->names() ==
          std::vector<std::string>{"shop.example", "*.shop.example", "192.0.2.7", "2001:db8::1"});
    CHECK(bundle->key_type() == "ECDSA P-256");
    CHECK(bundle->has_key());
    CHECK(bundle->not_after() - bundle->not_before() == 24h * 90 + 1h);
    CHECK(bundle->serial_hex().size() == 30);
    CHECK(to_hex(bundle->sha256()).size() == 64);

    const std::string der_bytes = der(ca().leaf.certificate);
    Sha256 digest{};
    EVP_Digest(der_bytes.data(), der_bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    CHECK(bundle->sha256() == digest);
    CHECK(bundle->spki_sha256() != digest);

    SUBCASE("and do not change with the certificate, as far as they are the key's") {
        const Issued renewed = make_certificate(
            {.names = {"DNS:shop.example"}, .issuer = &ca().middle, .same_key_as = &ca().leaf});
        const auto next = load_text(pem(renewed.certificate) + pem(renewed.key));
        CHECK(next.value().spki_sha256() == bundle->spki_sha256());
        CHECK(next.value().sha256() != bundle->sha256());
    }
}

TEST_CASE("the common name counts only where there is no subjectAltName") {
    const Issued old = make_certificate({.subject = "old.example"});
    CHECK(load_text(pem(old.certificate) + pem(old.key)).value().names() ==
          std::vector<std::string>{"old.example"});
    const Issued odd = make_certificate({.subject = "old.example", .names = {"email:a@b.example"}});
    CHECK(load_text(pem(odd.certificate) + pem(odd.key)).value().names().empty());
}

TEST_CASE("names cannot smuggle in a line of their own") {
    const Issued hostile = make_certificate({.subject = "a.example\nb.example"});
    const auto bundle = load_text(pem(hostile.certificate) + pem(hostile.key));
    CHECK(text(bundle.value(), CERTCAST_NAMES) == "a.example\\x0ab.example\n");
    CHECK(bundle->subject().find('\n') == std::string::npos);
}

TEST_CASE("a certificate may outlast the clock") {
    const Issued eternal = make_certificate({.ends_in = std::chrono::seconds(250'000'000'000)});
    const auto bundle = load_text(pem(eternal.certificate) + pem(eternal.key));
    CHECK(bundle.value().not_after() > std::chrono::system_clock::now() + 24h * 365 * 200);
    CHECK(std::stoll(text(*bundle, CERTCAST_NOT_AFTER)) > 250'000'000'000);
}

TEST_CASE("every accepted kind of key is named and converted") {
    const auto name_of = [](KeyKind kind) {
        const Issued issued = make_certificate({.key_kind = kind});
        const auto bundle = load_text(pem(issued.certificate) + pem(issued.key));
        if (bundle.has_error()) return bundle.error().text();
        CHECK(text(*bundle, CERTCAST_KEY_PEM) == pem(issued.key));
        CHECK(text(*bundle, CERTCAST_KEY_DER) == der(issued.key));
        CHECK(bundle->material(CERTCAST_PKCS12, "pass").has_value());
        return bundle->key_type();
    };
    CHECK(name_of(KeyKind::rsa_2048) == "RSA 2048");
    CHECK(name_of(KeyKind::rsa_pss) == "RSA-PSS 2048");
    CHECK(name_of(KeyKind::p256) == "ECDSA P-256");
    CHECK(name_of(KeyKind::p384) == "ECDSA P-384");
    CHECK(name_of(KeyKind::ed25519) == "Ed25519");
    CHECK(says(name_of(KeyKind::rsa_1024), "1024 bits: expected at least 2048"));
    CHECK(says(name_of(KeyKind::secp256k1), "secp256k1: expected P-256, P-384 or P-521"));
}

TEST_CASE("what is private of a key is masked in each of its forms, and its certificate is shown") {
    for (const KeyKind kind :
         {KeyKind::rsa_2048, KeyKind::rsa_pss, KeyKind::p256, KeyKind::p384, KeyKind::ed25519}) {
        CAPTURE(static_cast<int>(kind));
        const Issued issued = make_certificate({.key_kind = kind});
        const auto bundle = load_text(pem(issued.certificate) + pem(issued.key));
        REQUIRE(bundle.has_value());
        const std::vector<Secret> parts = bundle->private_parts();
        REQUIRE_FALSE(parts.empty());
        std::size_t size = 0;
        Redactor redactor;
        for (const Secret& part : parts) {
            size += part.size();
            redactor.add(part.text());
        }
        const bool rsa = kind == KeyKind::rsa_2048 || kind == KeyKind::rsa_pss;
        CHECK(size >= (rsa ? 256 + 5 * 128 : 32));

        const std::string shown =
            pem(issued.certificate) + text(*bundle, CERTCAST_LEAF_DER) + pem_of_public(issued.key);
        CHECK(redactor.redact(shown) == shown);
        // Without the armour, by which a key is masked whatever it is.
        std::string body = pem(issued.key).substr(28);
        body.resize(body.find("-----END"));
        const std::string masked = redactor.redact("<" + body + ">");
        CAPTURE(masked);
        CHECK(masked.size() + size < body.size());
        // Three for the mask, and one for a last byte that is a line's end, which is shown.
        CHECK(redactor.redact(text(*bundle, CERTCAST_KEY_DER)).size() <=
              der(issued.key).size() - size + 4 * parts.size());
        if (kind == KeyKind::rsa_2048) {
            const std::string old = traditional_pem(issued.key);
            const std::string last_line = old.substr(old.size() - 120, 64);
            CHECK(redactor.redact("<" + last_line + ">").find("***") != std::string::npos);
        }
    }
    CHECK(
        load_text(pem(ca().leaf.certificate), {}, {.without_key = true})->private_parts().empty());
}

TEST_CASE("a key that cannot sign is refused") {
    const Issued leaf = make_certificate({.issuer = &ca().middle, .key_kind = KeyKind::x25519});
    const auto bundle = load_text(pem(leaf.certificate) + pem(leaf.key));
    CHECK(says(message_of(bundle), "X25519, which TLS servers do not use"));
}

TEST_CASE("every kind of material is made") {
    const auto bundle = load_text(fullchain() + pem(ca().root.certificate) + pem(ca().leaf.key));
    REQUIRE(bundle.has_value());
    CHECK(text(*bundle, CERTCAST_LEAF_PEM) == pem(ca().leaf.certificate));
    CHECK(text(*bundle, CERTCAST_CHAIN_PEM) == pem(ca().middle.certificate));
    CHECK(text(*bundle, CERTCAST_FULLCHAIN_PEM) == fullchain());
    CHECK(text(*bundle, CERTCAST_LEAF_DER) == der(ca().leaf.certificate));
    CHECK(text(*bundle, CERTCAST_ROOT_PEM) == pem(ca().root.certificate));
    CHECK(bundle->material(CERTCAST_SHA256).value().size() == 32);
    CHECK(bundle->material(CERTCAST_SPKI_SHA256).value().size() == 32);
    CHECK(bundle->material(CERTCAST_SERIAL).value().size() == 15);
    CHECK(text(*bundle, CERTCAST_NAMES) ==
          "shop.example\n*.shop.example\n192.0.2.7\n2001:db8::1\n");
    CHECK(std::stoll(text(*bundle, CERTCAST_NOT_AFTER)) -
              std::stoll(text(*bundle, CERTCAST_NOT_BEFORE)) ==
          90 * 24 * 3600 + 3600);
    CHECK(says(text(*bundle, 0), "no material of kind 0"));
    CHECK(says(text(*bundle, 15), "no material of kind 15"));
    CHECK(says(message_of(bundle->material(CERTCAST_PKCS12, std::string_view("a\0b", 3))), "NUL"));
}

TEST_CASE("PKCS#12 profiles differ in their algorithms") {
    const auto digest_of = [](const std::string& file) {
        const auto* at = reinterpret_cast<const unsigned char*>(file.data());
        const Pkcs12Ptr parsed(d2i_PKCS12(nullptr, &at, static_cast<long>(file.size())));
        const X509_ALGOR* algorithm = nullptr;
        PKCS12_get0_mac(nullptr, &algorithm, nullptr, nullptr, parsed.get());
        const ASN1_OBJECT* object = nullptr;
        X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
        return OBJ_obj2nid(object);
    };
    const auto mentions = [](const std::string& file, int nid) {
        const ASN1_OBJECT* object = OBJ_nid2obj(nid);
        return file.find(std::string(reinterpret_cast<const char*>(OBJ_get0_data(object)),
                                     OBJ_length(object))) != std::string::npos;
    };
    const std::string modern = pkcs12("pass", Pkcs12Profile::modern);
    CHECK(digest_of(modern) == NID_sha256);
    CHECK(mentions(modern, NID_aes_256_cbc));
    CHECK(mentions(modern, NID_pbes2));
    const std::string legacy = pkcs12("pass", Pkcs12Profile::legacy);
    CHECK(digest_of(legacy) == NID_sha1);
    CHECK(mentions(legacy, NID_pbe_WithSHA1And3_Key_TripleDES_CBC));
    CHECK_FALSE(mentions(legacy, NID_pbes2));
}

TEST_CASE("a certificate without key gives everything but the key") {
    const auto bundle = load_text(fullchain(), {}, {.without_key = true});
    REQUIRE(bundle.has_value());
    CHECK_FALSE(bundle->has_key());
    CHECK(text(*bundle, CERTCAST_FULLCHAIN_PEM) == fullchain());
    CHECK(says(text(*bundle, CERTCAST_KEY_PEM), "loaded without one"));
    CHECK(says(text(*bundle, CERTCAST_PKCS12), "loaded without one"));
    CHECK(says(text(*bundle, CERTCAST_ROOT_PEM), "does not contain it"));
}

TEST_CASE("of a former certificate only its DER is known") {
    const std::string bytes = der(ca().leaf.certificate);
    const auto span = std::as_bytes(std::span(bytes));
    CHECK(material_of_der(span, CERTCAST_LEAF_PEM).value().text() == pem(ca().leaf.certificate));
    CHECK(material_of_der(span, CERTCAST_SHA256).value().size() == 32);
    CHECK(says(message_of(material_of_der(span, CERTCAST_KEY_PEM)), "only the leaf is known"));
    CHECK(says(message_of(material_of_der(span, CERTCAST_CHAIN_PEM)), "only the leaf is known"));
    CHECK(says(message_of(material_of_der(span.first(20), CERTCAST_SHA256)), "not a certificate"));
    CHECK(says(message_of(material_of_der({}, CERTCAST_SHA256)), "not a certificate"));
}

namespace {

std::string pem_of(const char* label, std::string_view der) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio(out.get(), label, "", reinterpret_cast<const unsigned char*>(der.data()),
                          static_cast<long>(der.size())) > 0);
    return text_of(*out);
}

/// A key as old tools write it, whose private number is another than its public point says.
std::string with_other_private_half(const KeyPtr& key) {
    const std::string text = traditional_pem(key);
    const BioPtr in(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    require(PEM_read_bio(in.get(), &label, &header, &data, &size) == 1);
    std::string der(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
    for (void* part :
         {static_cast<void*>(label), static_cast<void*>(header), static_cast<void*>(data)}) {
        OPENSSL_free(part);
    }
    // SEQUENCE, version 1, OCTET STRING of 32 bytes
    REQUIRE(der.substr(2, 5) == std::string("\x02\x01\x01\x04\x20", 5));
    der[20] = static_cast<char>(der[20] ^ 1);
    return pem_of("EC PRIVATE KEY", der);
}

/// DER from OpenSSL's own notation, section "main" first.
std::string der_of(const std::string& sections) {
    const std::unique_ptr<CONF, FreeWith<NCONF_free>> notation(NCONF_new(nullptr));
    const BioPtr in(BIO_new_mem_buf(sections.data(), static_cast<int>(sections.size())));
    long line = 0;
    require(NCONF_load_bio(notation.get(), in.get(), &line) == 1);
    const std::unique_ptr<ASN1_TYPE, FreeWith<ASN1_TYPE_free>> made(
        ASN1_generate_nconf("SEQUENCE:main", notation.get()));
    require(made != nullptr);
    const ASN1_STRING* sequence = made->value.sequence;
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(sequence)),
            static_cast<std::size_t>(ASN1_STRING_length(sequence))};
}

/// 2^bits - 1, with bits of 4n + 3. Where they are a prime number, it has no small factor.
std::string long_number(std::size_t bits) {
    return "INTEGER:0x7" + std::string(bits / 4, 'f') + "\n";
}

/// A DSA key without its public half, as PKCS#8 has it.
std::string dsa_key(std::size_t bits) {
    const std::string number = long_number(bits);
    return pem_of("PRIVATE KEY", der_of("[main]\nversion = INTEGER:0\nkind = SEQUENCE:kind\n"
                                        "key = OCTWRAP," +
                                        number +
                                        "[kind]\nname = OID:1.2.840.10040.4.1\n"
                                        "parameters = SEQUENCE:parameters\n"
                                        "[parameters]\np = " +
                                        number + "q = " + long_number(255) + "g = " + number));
}

/// The public half of an RSA key, and factors that have nothing to do with it.
std::string with_other_factors(const KeyPtr& key, std::size_t bits) {
    BIGNUM* modulus = nullptr;
    require(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_RSA_N, &modulus) == 1);
    const BignumPtr owned(modulus);
    char* const digits = BN_bn2hex(modulus);
    const std::string number = "INTEGER:0x" + std::string(digits) + "\n";
    OPENSSL_free(digits);
    const std::string factor = long_number(bits);
    return pem_of("RSA PRIVATE KEY",
                  der_of("[main]\nversion = INTEGER:0\nn = " + number +
                         "e = INTEGER:65537\ns = " + number + "p = " + factor + "q = " + factor +
                         "x = " + factor + "y = " + factor + "z = " + factor));
}

/// A certificate for an RSA key of which nobody knows the private half.
X509Ptr with_long_modulus(std::size_t bits) {
    const std::string spki = der_of(
        "[main]\nkind = SEQUENCE:kind\nkey = BITWRAP,SEQUENCE:key\n"
        "[kind]\nname = OID:rsaEncryption\nparameters = NULL\n"
        "[key]\nn = " +
        long_number(bits) + "e = INTEGER:65537\n");
    const auto* at = reinterpret_cast<const unsigned char*>(spki.data());
    const Issued holder{nullptr, KeyPtr(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())))};
    return make_certificate({.issuer = &ca().middle, .same_key_as = &holder}).certificate;
}

using AlgorithmPtr = std::unique_ptr<X509_ALGOR, FreeWith<X509_ALGOR_free>>;

AlgorithmPtr pbkdf2(int rounds) {
    return AlgorithmPtr(PKCS5_pbe2_set(EVP_aes_256_cbc(), rounds, nullptr, 8));
}

AlgorithmPtr scrypt(std::uint64_t n, std::uint64_t r, std::uint64_t p) {
    return AlgorithmPtr(PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 8, nullptr, n, r, p));
}

/// A scheme that derives its key by another scheme, which OpenSSL does not take.
AlgorithmPtr nested(const X509_ALGOR& inner) {
    const std::unique_ptr<PBE2PARAM, FreeWith<PBE2PARAM_free>> scheme(PBE2PARAM_new());
    require(X509_ALGOR_copy(scheme->keyfunc, &inner) == 1 &&
            X509_ALGOR_set0(scheme->encryption, OBJ_nid2obj(NID_aes_256_cbc), V_ASN1_NULL,
                            nullptr) == 1);
    AlgorithmPtr outer(X509_ALGOR_new());
    require(X509_ALGOR_set0(outer.get(), OBJ_nid2obj(NID_pbes2), V_ASN1_SEQUENCE,
                            ASN1_item_pack(scheme.get(), ASN1_ITEM_rptr(PBE2PARAM), nullptr)) == 1);
    return outer;
}

/// Something that says it was encrypted like this; nobody did the work.
std::string encrypted_key(const AlgorithmPtr& algorithm) {
    require(algorithm != nullptr);
    const EncryptedKeyPtr sealed(X509_SIG_new());
    X509_ALGOR* written = nullptr;
    ASN1_OCTET_STRING* content = nullptr;
    X509_SIG_getm(sealed.get(), &written, &content);
    const std::array<unsigned char, 64> noise{};
    require(X509_ALGOR_copy(written, algorithm.get()) == 1 &&
            ASN1_OCTET_STRING_set(content, noise.data(), noise.size()) == 1);
    const BioPtr out(BIO_new(BIO_s_mem()));
    require(PEM_write_bio_PKCS8(out.get(), sealed.get()) == 1);
    return text_of(*out);
}

/// The same PKCS#12 file with a MAC of 16 million rounds, which nobody has computed.
std::string with_long_mac(const std::string& file) {
    const auto* at = reinterpret_cast<const unsigned char*>(file.data());
    const Pkcs12Ptr parsed(d2i_PKCS12(nullptr, &at, static_cast<long>(file.size())));
    const ASN1_INTEGER* rounds = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &rounds, parsed.get());
    require(ASN1_INTEGER_set_uint64(const_cast<ASN1_INTEGER*>(rounds), 1u << 24) == 1);
    unsigned char* der = nullptr;
    const int size = i2d_PKCS12(parsed.get(), &der);
    std::string longer(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return longer;
}

}  // namespace

TEST_CASE("a scheme within a scheme is not followed, since a file could nest them without end") {
    CHECK(password_rounds(*pbkdf2(50'000)) == 50'000);
    CHECK(password_rounds(*nested(*pbkdf2(50'000))) == 0);
}

namespace {

/// A passphrase that is not the key's, and decrypts it to something with a padding.
std::string mistakable_passphrase(const std::string& sealed_key) {
    for (int i = 0;; ++i) {
        std::string passphrase = "wrong" + std::to_string(i);
        const BioPtr in(BIO_new_mem_buf(sealed_key.data(), static_cast<int>(sealed_key.size())));
        unsigned char* data = nullptr;
        long size = 0;
        const int done = PEM_bytes_read_bio(&data, &size, nullptr, PEM_STRING_EVP_PKEY, in.get(),
                                            nullptr, passphrase.data());
        OPENSSL_free(data);
        ERR_clear_error();
        if (done == 1) return passphrase;
    }
}

}  // namespace

TEST_CASE("what would not serve is refused, and the message says why") {
    const std::string key = pem(ca().leaf.key);
    const std::string leaf = pem(ca().leaf.certificate);
    const std::string middle = pem(ca().middle.certificate);
    std::string message;
    std::string_view expected;

    SUBCASE("a key of another certificate") {
        message = message_of(load_text(fullchain() + pem(ca().other.key)));
        expected = "private key does not match the certificate of CN=shop.example";
    }
    SUBCASE("a key whose private half is damaged") {
        message = message_of(load_text(fullchain() + with_other_private_half(ca().leaf.key)));
        expected = "its private half does not go with its public half";
    }
    SUBCASE("an RSA key with factors that would take hours to prove") {
        const Issued issued =
            make_certificate({.issuer = &ca().middle, .key_kind = KeyKind::rsa_2048});
        message = message_of(
            load_text(pem(issued.certificate) + middle + with_other_factors(issued.key, 60'091)));
        expected = "its private half does not go with its public half";
    }
    SUBCASE("a DSA key that would take hours to read") {
        message = message_of(load_text(fullchain() + dsa_key(60'091)));
        expected = "the private key cannot be read";
    }
    SUBCASE("an RSA key that would take a minute to check") {
        message = message_of(load_text(pem(with_long_modulus(16'383)) + middle));
        expected = "the RSA key has 16383 bits: expected at most 8192";
    }
    SUBCASE("a chain that never ends") {
        std::vector<Issued> authorities;
        authorities.push_back(make_certificate({.subject = "CA 0", .is_ca = true}));
        std::string all;
        for (int i = 1; i <= 12; ++i) {
            authorities.push_back(make_certificate({.subject = "CA " + std::to_string(i),
                                                    .issuer = &authorities.back(),
                                                    .is_ca = true}));
            all += pem(authorities.back().certificate);
        }
        const Issued deep = make_certificate({.issuer = &authorities.back()});
        message = message_of(load_text(pem(deep.certificate) + all + pem(deep.key)));
        expected = "more than 10 intermediate certificates";
    }
    SUBCASE("a key that asks for too much hashing") {
        message = message_of(load_text(fullchain() + encrypted_key(pbkdf2(50'000'000)), "pass"));
        expected = "the private key asks for more than 5000000 rounds";
    }
    SUBCASE("a key that asks for too much scrypt") {
        message =
            message_of(load_text(fullchain() + encrypted_key(scrypt(1u << 14, 8, 10'000)), "pass"));
        expected = "the private key asks for more than 5000000 rounds";
    }
    SUBCASE("PKCS#12 that asks for too much hashing") {
        message =
            message_of(load_text(with_long_mac(pkcs12("pass", Pkcs12Profile::modern)), "pass"));
        expected = "the PKCS#12 file asks for more than 5000000 rounds";
    }
    SUBCASE("no key") {
        message = message_of(load_text(fullchain()));
        expected = "no private key found";
    }
    SUBCASE("only CA certificates") {
        message = message_of(load_text(middle + pem(ca().root.certificate) + key));
        expected = "no leaf certificate found";
    }
    SUBCASE("a single intermediate") {
        message = message_of(load_text(middle + pem(ca().middle.key)));
        expected = "no leaf certificate found";
    }
    SUBCASE("only a key") {
        message = message_of(load_text(key));
        expected = "no certificate found";
    }
    SUBCASE("two leaves") {
        message = message_of(load_text(leaf + pem(ca().other.certificate) + middle + key));
        expected = "more than one leaf certificate found (CN=shop.example; CN=mail.example)";
    }
    SUBCASE("an encrypted key and no passphrase") {
        message = message_of(load_text(fullchain() + pem(ca().leaf.key, "pass")));
        expected = "is encrypted and no passphrase is given";
    }
    SUBCASE("an encrypted key of old and no passphrase") {
        message = message_of(load_text(fullchain() + traditional_pem(ca().leaf.key, "pass")));
        expected = "is encrypted and no passphrase is given";
    }
    SUBCASE("an encrypted key and another passphrase") {
        message = message_of(load_text(fullchain() + pem(ca().leaf.key, "pass"), "wrong"));
        expected = "the passphrase does not open the private key";
    }
    SUBCASE("an encrypted key of old and another passphrase") {
        message =
            message_of(load_text(fullchain() + traditional_pem(ca().leaf.key, "pass"), "wrong"));
        expected = "the passphrase does not open the private key";
    }
    SUBCASE("another passphrase that leaves what looks like an end") {
        const std::string sealed = traditional_pem(ca().leaf.key, "pass");
        message = message_of(load_text(fullchain() + sealed, mistakable_passphrase(sealed)));
        expected = "the passphrase does not open the private key";
    }
    SUBCASE("PKCS#12 without its passphrase") {
        message = message_of(load_text(pkcs12("pass", Pkcs12Profile::modern)));
        expected = "PKCS#12 file is encrypted and no passphrase is given";
    }
    SUBCASE("PKCS#12 with another passphrase") {
        message = message_of(load_text(pkcs12("pass", Pkcs12Profile::modern), "wrong"));
        expected = "the passphrase does not open the PKCS#12 file";
    }
    SUBCASE("a missing intermediate") {
        message = message_of(load_text(leaf + pem(ca().root.certificate) + key));
        expected = "CN=Test Intermediate, which is missing, and CN=Test Root did not issue it";
    }
    SUBCASE("an intermediate of the same name that did not sign") {
        const Issued impostor =
            make_certificate({.subject = "Test Intermediate", .issuer = &ca().root, .is_ca = true});
        message = message_of(load_text(leaf + pem(impostor.certificate) + key));
        expected = "the certificate of that name did not sign it";
    }
    SUBCASE("an expired certificate") {
        const Issued expired =
            make_certificate({.issuer = &ca().middle, .begins_in = -48h, .ends_in = -24h});
        const std::string all = pem(expired.certificate) + middle + pem(expired.key);
        message = message_of(load_text(all));
        expected = "CN=shop.example expired on 2";
        CHECK(load_text(all, {}, {.allow_outside_validity = true}).has_value());
    }
    SUBCASE("a certificate of the future") {
        const Issued early = make_certificate({.issuer = &ca().middle, .begins_in = 24h});
        const std::string all = pem(early.certificate) + middle + pem(early.key);
        message = message_of(load_text(all));
        expected = "not yet valid: it begins on 2";
        CHECK(load_text(all, {}, {.allow_outside_validity = true}).has_value());
    }
    CHECK(says(message, expected));
    CHECK(message.find("PRIVATE KEY") == std::string::npos);
}

TEST_CASE("a self-signed certificate on its own is a leaf") {
    for (const bool is_ca : {false, true}) {
        CAPTURE(is_ca);
        const Issued lone = make_certificate({.subject = "box.lan", .is_ca = is_ca});
        const auto bundle = load_text(pem(lone.certificate) + pem(lone.key));
        REQUIRE(bundle.has_value());
        CHECK(bundle->chain_length() == 0);
        CHECK(bundle->warnings().empty());
    }
}

TEST_CASE("a leaf without its issuer is taken with a warning") {
    const auto alone = load_text(pem(ca().leaf.certificate) + pem(ca().leaf.key));
    CHECK(says(alone.value().warnings().at(0), "no intermediate certificate"));

    const Issued direct = make_certificate({.issuer = &ca().root});
    const auto with_root =
        load_text(pem(direct.certificate) + pem(ca().root.certificate) + pem(direct.key));
    CHECK(with_root.value().warnings().empty());
    CHECK(with_root->chain_length() == 0);
}

TEST_CASE("intermediates come in the order of their signatures") {
    const Issued lower =
        make_certificate({.subject = "Lower", .issuer = &ca().middle, .is_ca = true});
    const Issued leaf = make_certificate({.issuer = &lower});
    const auto bundle = load_text(pem(ca().root.certificate) + pem(ca().middle.certificate) +
                                  pem(leaf.key) + pem(lower.certificate) + pem(leaf.certificate));
    CHECK(text(bundle.value(), CERTCAST_CHAIN_PEM) ==
          pem(lower.certificate) + pem(ca().middle.certificate));

    const auto gap =
        load_text(pem(leaf.certificate) + pem(ca().middle.certificate) + pem(leaf.key));
    CHECK(says(message_of(gap), "issued by CN=Lower, which is missing"));
}

TEST_CASE("of an authority's own root and its cross-signed certificate the latter is sent") {
    const Issued old_root = make_certificate({.subject = "Old Root", .is_ca = true});
    const Issued cross = make_certificate(
        {.subject = "Test Root", .issuer = &old_root, .is_ca = true, .same_key_as = &ca().root});
    const std::string rest = fullchain() + pem(ca().leaf.key);
    const auto bundle = load_text(pem(ca().root.certificate) + pem(cross.certificate) + rest);
    CHECK(text(bundle.value(), CERTCAST_CHAIN_PEM) ==
          pem(ca().middle.certificate) + pem(cross.certificate));
    CHECK(bundle->warnings().empty());

    const Issued expired = make_certificate({.subject = "Test Root",
                                             .issuer = &old_root,
                                             .begins_in = -48h,
                                             .ends_in = -24h,
                                             .is_ca = true,
                                             .same_key_as = &ca().root});
    const auto without = load_text(pem(expired.certificate) + pem(ca().root.certificate) + rest);
    CHECK(text(without.value(), CERTCAST_CHAIN_PEM) == pem(ca().middle.certificate));
}

TEST_CASE("an unrelated or expired CA certificate is a warning") {
    const Issued stranger = make_certificate({.subject = "Stranger", .is_ca = true});
    const auto bundle = load_text(fullchain() + pem(ca().root.certificate) +
                                  pem(stranger.certificate) + pem(ca().leaf.key));
    CHECK(says(bundle.value().warnings().at(0), "not part of the chain: CN=Stranger"));

    const Issued expired = make_certificate({.subject = "Former",
                                             .issuer = &ca().root,
                                             .begins_in = -48h,
                                             .ends_in = -24h,
                                             .is_ca = true});
    const Issued leaf = make_certificate({.issuer = &expired});
    const auto served = load_text(pem(leaf.certificate) + pem(expired.certificate) + pem(leaf.key));
    CHECK(says(served.value().warnings().at(0), "CN=Former is expired"));
}
