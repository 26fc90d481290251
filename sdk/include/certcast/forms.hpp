// SPDX-License-Identifier: Apache-2.0
//
// In which forms a certificate is written to places that take any of them, and the parameters for
// it, for a deployer's `parameters(...)`.
#pragma once

#include <certcast/job.hpp>

namespace certcast {

inline constexpr auto form_parameter =
    choice("form", "fullchain", "certificate", "chain", "key", "combined", "pkcs12")
        .required()
        .doc(
            "What is in it: all certificates, the leaf, the intermediates, the key, the key and "
            "all certificates, or these as PKCS#12");
inline constexpr auto pkcs12_password_parameter =
    secret("pkcs12_password").doc("The password of what is PKCS#12; default: an empty one");
inline constexpr auto pkcs12_profile_parameter =
    choice("pkcs12_profile", "modern", "legacy")
        .default_to("modern")
        .doc("How PKCS#12 is encrypted: AES-256, or as old Java and Windows read it");
inline constexpr auto pkcs12_name_parameter =
    text("pkcs12_name").doc("The friendly name in what is PKCS#12");

inline Sensitive pkcs12_password(const Job& job) {
    return job.secret(pkcs12_password_parameter).value_or(Sensitive());
}

inline Sensitive pkcs12_of(const Job& job) {
    const auto format =
        job[pkcs12_profile_parameter] == "legacy" ? Pkcs12Format::legacy : Pkcs12Format::modern;
    return job.pkcs12(pkcs12_password(job), job[pkcs12_name_parameter].value_or(""), format);
}

/// `form`: a value of form_parameter.
inline Sensitive contents_in_form(std::string_view form, const Job& job) {
    if (form == "key") return job.key_pem();
    if (form == "combined") return job.key_pem() + job.fullchain_pem();
    if (form == "pkcs12") return pkcs12_of(job);
    if (form == "certificate") return Sensitive(job.leaf_pem());
    if (form == "chain") return Sensitive(job.chain_pem());
    return Sensitive(job.fullchain_pem());
}

}  // namespace certcast
