#include "plugins/cdn/signing/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <certcast/errors.hpp>

#include <string_view>

namespace cdn {

namespace {

constexpr std::size_t digest_size = 32;

std::string digest_hex(const EVP_MD* kind, certcast::ByteView bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, kind, nullptr) != 1) {
        throw certcast::internal_error("OpenSSL has no such digest");
    }
    return hex(std::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace

std::string hex(certcast::ByteView bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text += digits[bytes.bytes()[i] >> 4];
        text += digits[bytes.bytes()[i] & 15];
    }
    return text;
}

std::string sha256_hex(certcast::ByteView bytes) {
    return digest_hex(EVP_sha256(), bytes);
}

std::string sha1_hex(certcast::ByteView bytes) {
    return digest_hex(EVP_sha1(), bytes);
}

certcast::Sensitive hmac_sha256(certcast::ByteView key, certcast::ByteView message) {
    certcast::Sensitive code;
    code.resize(digest_size);
    unsigned size = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.bytes(),
             message.size(), reinterpret_cast<unsigned char*>(code.data()), &size) == nullptr) {
        throw certcast::internal_error("OpenSSL has no HMAC-SHA256");
    }
    return code;
}

}  // namespace cdn
