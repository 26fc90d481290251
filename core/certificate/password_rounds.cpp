#include "core/certificate/password_rounds.hpp"

#include "core/certificate/openssl.hpp"

#include <openssl/asn1t.h>

#include <limits>

namespace certcast {

namespace {

constexpr std::uint64_t endless = std::numeric_limits<std::uint64_t>::max();

using SchemePtr = std::unique_ptr<PBE2PARAM, FreeWith<PBE2PARAM_free>>;
using Pbkdf2Ptr = std::unique_ptr<PBKDF2PARAM, FreeWith<PBKDF2PARAM_free>>;
using ScryptPtr = std::unique_ptr<SCRYPT_PARAMS, FreeWith<SCRYPT_PARAMS_free>>;
using OldSchemePtr = std::unique_ptr<PBEPARAM, FreeWith<PBEPARAM_free>>;

template <typename Pointer>
Pointer parameters(const void* sequence, const ASN1_ITEM* item) {
    return Pointer(static_cast<typename Pointer::pointer>(
        ASN1_item_unpack(static_cast<const ASN1_STRING*>(sequence), item)));
}

std::uint64_t number(const ASN1_INTEGER* value) {
    std::uint64_t found = 0;
    return value != nullptr && ASN1_INTEGER_get_uint64(&found, value) == 1 ? found : endless;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
    return b != 0 && a > endless / b ? endless : a * b;
}

}  // namespace

std::uint64_t password_rounds(const X509_ALGOR& algorithm) {
    const ASN1_OBJECT* name = nullptr;
    const void* value = nullptr;
    int type = V_ASN1_UNDEF;
    X509_ALGOR_get0(&name, &type, &value, &algorithm);
    if (type != V_ASN1_SEQUENCE) return 0;
    switch (OBJ_obj2nid(name)) {
        case NID_pbes2: {
            const auto scheme = parameters<SchemePtr>(value, ASN1_ITEM_rptr(PBE2PARAM));
            return scheme ? password_rounds(*scheme->keyfunc) : 0;
        }
        case NID_id_pbkdf2: {
            const auto given = parameters<Pbkdf2Ptr>(value, ASN1_ITEM_rptr(PBKDF2PARAM));
            return given ? number(given->iter) : 0;
        }
        case NID_id_scrypt: {
            const auto given = parameters<ScryptPtr>(value, ASN1_ITEM_rptr(SCRYPT_PARAMS));
            if (!given) return 0;
            return product(product(number(given->costParameter), number(given->blockSize)),
                           number(given->parallelizationParameter));
        }
        default: {
            const auto given = parameters<OldSchemePtr>(value, ASN1_ITEM_rptr(PBEPARAM));
            return given ? number(given->iter) : 0;
        }
    }
}

}  // namespace certcast
