#include "plugins/probe/stapled_response.hpp"

#include "plugins/probe/free_with.hpp"

#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include <memory>

namespace tls {

namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;
using IdPtr = std::unique_ptr<OCSP_CERTID, FreeWith<OCSP_CERTID_free>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;

/// Clocks differ.
constexpr long tolerated_seconds = 300;
constexpr long longest_without_end = 7L * 86'400;

std::string problem_of(OCSP_BASICRESP& basic, X509* leaf, X509* issuer, STACK_OF(X509) * chain) {
    // The issuer is what it has to be signed for; whether that is trusted is another question.
    const StorePtr trusted(X509_STORE_new());
    if (!trusted || X509_STORE_add_cert(trusted.get(), issuer) != 1) return "out of memory";
    X509_STORE_set_flags(trusted.get(), X509_V_FLAG_PARTIAL_CHAIN);
    if (OCSP_basic_verify(&basic, chain, trusted.get(), 0) != 1) {
        return "is not signed for the certificate's issuer";
    }
    const IdPtr id(OCSP_cert_to_id(nullptr, leaf, issuer));
    int status = -1;
    ASN1_GENERALIZEDTIME* this_update = nullptr;
    ASN1_GENERALIZEDTIME* next_update = nullptr;
    if (!id || OCSP_resp_find_status(&basic, id.get(), &status, nullptr, nullptr, &this_update,
                                     &next_update) != 1) {
        return "is about another certificate";
    }
    // One that names no end of its own counts for as long as others usually do.
    const long longest_age = next_update == nullptr ? longest_without_end : -1;
    if (OCSP_check_validity(this_update, next_update, tolerated_seconds, longest_age) != 1) {
        return "is out of date";
    }
    if (status == V_OCSP_CERTSTATUS_GOOD) return {};
    return std::string("says ") + OCSP_cert_status_str(status);
}

}  // namespace

bool ask_for_staple(SSL& session) {
    return SSL_set_tlsext_status_type(&session, TLSEXT_STATUSTYPE_ocsp) == 1;
}

std::string problem_of_staple(SSL& session) {
    const unsigned char* bytes = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(&session, &bytes);
    if (bytes == nullptr || size <= 0) return "it staples no OCSP response";
    const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &bytes, size));
    if (!response) return "the OCSP response that it staples is none";
    const int status = OCSP_response_status(response.get());
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return std::string("the OCSP response that it staples says ") +
               OCSP_response_status_str(status);
    }
    const BasicPtr basic(OCSP_response_get1_basic(response.get()));
    STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(&session);
    if (!basic || sk_X509_num(chain) < 2) {
        return "the OCSP response that it staples cannot be checked without the issuer";
    }
    const std::string problem =
        problem_of(*basic, sk_X509_value(chain, 0), sk_X509_value(chain, 1), chain);
    return problem.empty() ? problem : "the OCSP response that it staples " + problem;
}

}  // namespace tls
