#include "plugins/cdn/leaf.hpp"

#include "plugins/cdn/letters.hpp"

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <certcast/errors.hpp>
#include <certcast/free_with.hpp>
#include <certcast/pem.hpp>

#include <algorithm>
#include <memory>

namespace cdn {

namespace {

using certcast::detail::FreeWith;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

std::time_t seconds_of(const ASN1_TIME* time) {
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return timegm(&parts);
}

std::string key_of(const X509& certificate) {
    EVP_PKEY* const key = X509_get0_pubkey(&certificate);
    if (key == nullptr) return {};
    if (EVP_PKEY_is_a(key, "RSA") == 1) return "RSA_" + std::to_string(EVP_PKEY_get_bits(key));
    char group[64] = "";
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), nullptr);
    return "EC_" + std::string(group);
}

std::vector<std::string> names_of(const X509& certificate) {
    std::vector<std::string> found;
    const Names names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        const auto* const text =
            reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
        found.push_back(
            lower({text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
    }
    return found;
}

}  // namespace

Leaf leaf_in(std::string_view pem) {
    const std::string der = certcast::first_certificate(pem).value_or("");
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    const Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
    if (!certificate) throw certcast::config_error("the certificate cannot be read");
    return {seconds_of(X509_get0_notBefore(certificate.get())),
            seconds_of(X509_get0_notAfter(certificate.get())), key_of(*certificate),
            names_of(*certificate)};
}

bool is_for(const std::vector<std::string>& names, std::string_view host) {
    const std::string own = lower(host);
    const std::size_t dot = own.find('.');
    const std::string any = dot == std::string::npos ? "" : "*" + own.substr(dot);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return name == own || (!any.empty() && name == any);
    });
}

}  // namespace cdn
