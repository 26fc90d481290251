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

struct Algorithm {
    explicit Algorithm(const X509_ALGOR& algorithm) {
        const ASN1_OBJECT* object = nullptr;
        int type = V_ASN1_UNDEF;
        const void* found = nullptr;
        X509_ALGOR_get0(&object, &type, &found, &algorithm);
        name = OBJ_obj2nid(object);
        if (type == V_ASN1_SEQUENCE) sequence = found;
    }

    int name = NID_undef;
    const void* sequence = nullptr;  ///< of parameters
};

std::uint64_t rounds_of(const Algorithm& algorithm) {
    const void* const value = algorithm.sequence;
    if (value == nullptr) return 0;
    switch (algorithm.name) {
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

}  // namespace

std::uint64_t password_rounds(const X509_ALGOR& algorithm) {
    const Algorithm outer(algorithm);
    if (outer.name != NID_pbes2 || outer.sequence == nullptr) return rounds_of(outer);
    const auto scheme = parameters<SchemePtr>(outer.sequence, ASN1_ITEM_rptr(PBE2PARAM));
    // One scheme within another is none, and a file could nest them without end.
    return scheme ? rounds_of(Algorithm(*scheme->keyfunc)) : 0;
}

}  // namespace certcast
