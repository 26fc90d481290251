#include "core/certificate/certificate_bundle.hpp"

#include "core/certificate/chain.hpp"
#include "core/certificate/convert.hpp"
#include "core/certificate/facts.hpp"
#include "core/certificate/lint.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <iterator>

namespace certcast {

namespace {

using std::chrono::system_clock;

// X.509 goes up to the year 9999, the clock's nanoseconds to 2262.
system_clock::time_point time_point_of(std::int64_t seconds_since_1970) {
    using std::chrono::duration_cast;
    using std::chrono::seconds;
    constexpr auto earliest = duration_cast<seconds>(system_clock::duration::min());
    constexpr auto latest = duration_cast<seconds>(system_clock::duration::max());
    return system_clock::time_point(std::clamp(seconds(seconds_since_1970), earliest, latest));
}

// What could not be read may be just what is missing.
Error blaming(const std::optional<Error>& missed, Error error) {
    if (missed) error.message += " (this was left out: " + missed->text() + ")";
    return error;
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

Result<CertificateBundle> CertificateBundle::from(CertificateParts parts,
                                                  const BundleRules& rules) {
    if (parts.certificates.empty() && parts.missed) return std::move(*parts.missed);
    auto chain = order_chain(std::move(parts.certificates), rules.now, parts.where,
                             rules.allow_broken_chain);
    if (chain.has_error()) return blaming(parts.missed, chain.error());
    const X509& leaf = *chain->leaf;

    auto key_type = accepted_key_type(leaf, parts.where);
    if (key_type.has_error()) return key_type.error();
    const auto validity = validity_of(leaf);
    if (validity.has_error()) return validity.error();
    CertificateBundle bundle;
    const auto valid = check_validity(leaf, *validity, rules.now, parts.where);
    if (valid.has_error()) {
        if (!rules.allow_outside_validity) return by_guard("expired", valid.error());
        bundle.warnings_.push_back(valid.error().message);
    }
    if (!rules.without_key) {
        if (parts.keys.empty() && parts.missed) return std::move(*parts.missed);
        auto key = take_matching_key(parts.keys, leaf, parts.where);
        if (key.has_value()) {
            auto pem = key_pem(**key);
            if (pem.has_error()) return pem.error();
            bundle.key_ = std::move(*key);
            bundle.key_pem_ = std::move(*pem);
        } else if (rules.allow_wrong_key) {
            bundle.warnings_.push_back("it goes without a private key: " + key.error().message);
        } else {
            return by_guard("key", blaming(parts.missed, key.error()));
        }
    }
    bundle.sha256_ = fingerprint_of(leaf);
    bundle.spki_sha256_ = spki_fingerprint_of(leaf);
    bundle.subject_ = subject_of(leaf);
    bundle.issuer_ = issuer_of(leaf);
    bundle.names_ = names_of(leaf);
    bundle.not_before_ = time_point_of(validity->not_before);
    bundle.not_after_ = time_point_of(validity->not_after);
    bundle.key_type_ = std::move(*key_type);
    append(bundle.warnings_, std::move(parts.warnings));
    append(bundle.warnings_, std::move(chain->warnings));
    if (parts.missed) bundle.warnings_.push_back("left out: " + parts.missed->text());
    bundle.leaf_ = std::move(chain->leaf);
    bundle.chain_ = std::move(chain->intermediates);
    bundle.root_ = std::move(chain->root);
    return bundle;
}

std::string CertificateBundle::serial_hex() const {
    return lower_hex(serial_of(*leaf_));
}

std::vector<Secret> CertificateBundle::private_parts() const {
    return key_ == nullptr ? std::vector<Secret>() : certcast::private_parts(*key_);
}

Result<Secret> CertificateBundle::material(std::uint32_t kind, std::string_view password,
                                           std::string_view friendly_name,
                                           Pkcs12Profile profile) const {
    if (is_material_of_leaf(kind)) return material_of_leaf(*leaf_, kind);

    const bool needs_key =
        kind == CERTCAST_KEY_PEM || kind == CERTCAST_KEY_DER || kind == CERTCAST_PKCS12;
    if (needs_key && !key_) {
        return Error{ErrorCode::not_found,
                     "the private key was asked for, but this certificate was loaded without one "
                     "(key = \"none\", or the guard \"key\" is off and it is another's): name its "
                     "own key in the pipeline",
                     {}};
    }
    std::vector<const X509*> certificates;
    switch (kind) {
        case CERTCAST_FULLCHAIN_PEM:
            certificates.push_back(leaf_.get());
            [[fallthrough]];
        case CERTCAST_CHAIN_PEM:
            for (const X509Ptr& certificate : chain_) certificates.push_back(certificate.get());
            return pem_of(certificates);
        case CERTCAST_ROOT_PEM:
            if (root_) return pem_of({root_.get()});
            return Error{ErrorCode::not_found,
                         "the root certificate was asked for, but the source does not contain it: "
                         "add it to the certificate's source",
                         {}};
        case CERTCAST_KEY_PEM:
            return Secret(key_pem_.text());
        case CERTCAST_KEY_DER:
            return key_der(*key_);
        case CERTCAST_PKCS12:
            return pkcs12_of({*key_, *leaf_, chain_}, password, friendly_name, profile);
        default:
            return Error{ErrorCode::invalid,
                         "there is no material of kind " + std::to_string(kind) +
                             ": expected one of plugin.h's",
                         {}};
    }
}

}  // namespace certcast
