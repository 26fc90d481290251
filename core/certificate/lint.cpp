#include "core/certificate/lint.hpp"

#include "core/certificate/openssl.hpp"

#include <openssl/core_names.h>

#include <string_view>

namespace certcast {

namespace {

constexpr int least_rsa_bits = 2048;
// Checking the private half of a longer one takes a minute, and each handshake most of a second.
constexpr int most_rsa_bits = 8192;
// A file may hold any number that take seconds each.
constexpr int most_broken_keys = 3;

Error refused(std::string message, const std::string& where) {
    return {ErrorCode::invalid, std::move(message), where};
}

Result<std::string> accepted_rsa(const EVP_PKEY& key, std::string_view name,
                                 const std::string& where) {
    const int bits = EVP_PKEY_get_bits(&key);
    if (bits < least_rsa_bits || bits > most_rsa_bits) {
        return refused("the RSA key has " + std::to_string(bits) + " bits: expected " +
                           (bits < least_rsa_bits ? "at least " + std::to_string(least_rsa_bits)
                                                  : "at most " + std::to_string(most_rsa_bits)) +
                           "; issue the certificate for a new key",
                       where);
    }
    return std::string(name) + " " + std::to_string(bits);
}

Result<std::string> accepted_curve(EVP_PKEY& key, const std::string& where) {
    char group[80] = "";
    EVP_PKEY_get_group_name(&key, group, sizeof group, nullptr);
    const std::string_view curve = group;
    if (curve == "prime256v1" || curve == "P-256") return std::string("ECDSA P-256");
    if (curve == "secp384r1" || curve == "P-384") return std::string("ECDSA P-384");
    if (curve == "secp521r1" || curve == "P-521") return std::string("ECDSA P-521");
    return refused("the key is on the curve " +
                       (curve.empty() ? "without a name" : std::string(curve)) +
                       ": expected P-256, P-384 or P-521; issue the certificate for a new key",
                   where);
}

/// Proving that a factor is prime takes hours where it is far longer than the key itself says.
bool has_long_factor(const EVP_PKEY& key) {
    constexpr const char* factors[] = {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
                                       OSSL_PKEY_PARAM_RSA_FACTOR3, OSSL_PKEY_PARAM_RSA_FACTOR4,
                                       OSSL_PKEY_PARAM_RSA_FACTOR5, OSSL_PKEY_PARAM_RSA_FACTOR6,
                                       OSSL_PKEY_PARAM_RSA_FACTOR7, OSSL_PKEY_PARAM_RSA_FACTOR8,
                                       OSSL_PKEY_PARAM_RSA_FACTOR9, OSSL_PKEY_PARAM_RSA_FACTOR10};
    for (const char* name : factors) {
        BIGNUM* found = nullptr;
        if (EVP_PKEY_get_bn_param(&key, name, &found) != 1) break;
        const std::unique_ptr<BIGNUM, FreeWith<BN_clear_free>> factor(found);
        if (BN_num_bits(factor.get()) > EVP_PKEY_get_bits(&key) / 4 * 3) return true;
    }
    ERR_clear_error();
    return false;
}

bool halves_match(EVP_PKEY& key) {
    if (has_long_factor(key)) return false;
    const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
        EVP_PKEY_CTX_new(&key, nullptr));
    return context && EVP_PKEY_pairwise_check(context.get()) == 1;
}

}  // namespace

Error by_guard(const std::string& guard, Error error) {
    error.message +=
        "; where that is meant: guards = { " + guard + " = \"off\" } in each deployment of it";
    return error;
}

Result<std::string> accepted_key_type(const X509& certificate, const std::string& where) {
    EVP_PKEY* const key = X509_get0_pubkey(&certificate);
    if (key == nullptr) {
        return refused("the public key of " + describe(certificate) + " cannot be read (" +
                           take_openssl_failure().reason +
                           "): expected RSA, ECDSA on P-256, P-384 or P-521, or Ed25519",
                       where);
    }
    if (EVP_PKEY_is_a(key, "RSA")) return accepted_rsa(*key, "RSA", where);
    if (EVP_PKEY_is_a(key, "RSA-PSS")) return accepted_rsa(*key, "RSA-PSS", where);
    if (EVP_PKEY_is_a(key, "EC")) return accepted_curve(*key, where);
    if (EVP_PKEY_is_a(key, "ED25519")) return std::string("Ed25519");
    if (EVP_PKEY_is_a(key, "ED448")) return std::string("Ed448");
    const char* const name = EVP_PKEY_get0_type_name(key);
    return refused("the key is of the kind " + std::string(name != nullptr ? name : "unknown") +
                       ", which TLS servers do not use: expected RSA, ECDSA or Ed25519",
                   where);
}

Result<void> check_validity(const X509& certificate, const Validity& validity,
                            std::chrono::system_clock::time_point now, const std::string& where) {
    if (validity.includes(now)) return {};
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (seconds > validity.not_after) {
        return refused("the certificate of " + describe(certificate) + " expired on " +
                           utc_text(validity.not_after) + ": renew it first",
                       where);
    }
    return refused("the certificate of " + describe(certificate) +
                       " is not yet valid: it begins on " + utc_text(validity.not_before) +
                       "; wait until then, or mend this clock (" + utc_text(seconds) + ")",
                   where);
}

Result<KeyPtr> take_matching_key(std::vector<KeyPtr>& keys, const X509& certificate,
                                 const std::string& where) {
    int broken = 0;
    for (KeyPtr& key : keys) {
        if (X509_check_private_key(&certificate, key.get()) != 1) continue;
        // That compared public halves; a damaged file may hold a private half of another key.
        if (halves_match(*key)) return std::move(key);
        if (++broken == most_broken_keys) break;
    }
    ERR_clear_error();
    if (broken != 0) {
        return refused("the private key for " + describe(certificate) +
                           " is damaged: its private half does not go with its public half; take "
                           "it from the renewal again",
                       where);
    }
    if (keys.empty()) {
        return refused("no private key found: add the one that " + describe(certificate) +
                           " was issued for, or say key = \"none\" if none is to be deployed",
                       where);
    }
    return refused("the private key does not match the certificate of " + describe(certificate) +
                       ": expected the key that it was issued for; take both from the same renewal",
                   where);
}

}  // namespace certcast
