#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace certcast {

template <auto free_function>
struct FreeWith {
    template <typename T>
    void operator()(T* object) const {
        free_function(object);
    }
};
using BioPtr = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using Pkcs12Ptr = std::unique_ptr<PKCS12, FreeWith<PKCS12_free>>;
using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeWith<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedKeyPtr = std::unique_ptr<X509_SIG, FreeWith<X509_SIG_free>>;

/// A C string for OpenSSL, in memory that is wiped.
inline Secret terminated(std::string_view text) {
    Secret copy(text);
    copy.append(std::string_view("\0", 1));
    return copy;
}

/// Why OpenSSL refused something.
struct OpensslFailure {
    std::string reason;
    bool unsupported = false;  ///< an algorithm of OpenSSL's legacy provider, or an unknown one
};

/// Empties OpenSSL's error queue.
inline OpensslFailure take_openssl_failure() {
    OpensslFailure failure;
    while (const unsigned long code = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(code);
        if (failure.reason.empty() && reason != nullptr) failure.reason = reason;
        if (ERR_GET_REASON(code) == ERR_R_UNSUPPORTED) failure.unsupported = true;
    }
    if (failure.reason.empty()) failure.reason = "malformed";
    return failure;
}

}  // namespace certcast
