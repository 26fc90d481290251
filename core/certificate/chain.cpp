#include "core/certificate/chain.hpp"

#include "core/certificate/facts.hpp"
#include "core/certificate/lint.hpp"
#include "core/certificate/openssl.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace certcast {

namespace {

bool is_self_signed(X509& certificate) {
    return X509_self_signed(&certificate, 1) == 1;
}

bool has_issued(X509& issuer, X509& certificate) {
    return X509_check_issued(&issuer, &certificate) == X509_V_OK &&
           X509_verify(&certificate, X509_get0_pubkey(&issuer)) == 1;
}

bool has_issuer_name(X509& issuer, X509& certificate) {
    return X509_NAME_cmp(X509_get_subject_name(&issuer), X509_get_issuer_name(&certificate)) == 0;
}

// One authority may hold several certificates: its own root, and others signed by older roots.
bool is_same_authority(X509& one, X509& other) {
    return X509_NAME_cmp(X509_get_subject_name(&one), X509_get_subject_name(&other)) == 0 &&
           EVP_PKEY_eq(X509_get0_pubkey(&one), X509_get0_pubkey(&other)) == 1;
}

bool is_valid(const X509& certificate, std::chrono::system_clock::time_point now) {
    const auto validity = validity_of(certificate);
    return validity.has_value() && validity->includes(now);
}

std::string list_of(const std::vector<X509Ptr>& certificates) {
    constexpr std::size_t most = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(certificates.size(), most); ++i) {
        text += (i == 0 ? "" : "; ") + describe(*certificates[i]);
    }
    if (certificates.size() > most) {
        text += "; and " + std::to_string(certificates.size() - most) + " more";
    }
    return text;
}

void drop_duplicates(std::vector<X509Ptr>& certificates) {
    std::set<Sha256> seen;
    std::erase_if(certificates, [&](const X509Ptr& certificate) {
        return !seen.insert(fingerprint_of(*certificate)).second;
    });
}

// Takes the leaf out of `certificates`.
Result<X509Ptr> take_leaf(std::vector<X509Ptr>& certificates, const std::string& where) {
    if (certificates.empty()) {
        return Error{ErrorCode::invalid,
                     "no certificate found: expected the server's certificate, its intermediates "
                     "and its private key as PEM, DER or PKCS#12",
                     where};
    }
    // A self-signed certificate on its own is a server's even if it calls itself a CA.
    if (certificates.size() == 1 && is_self_signed(*certificates.front())) {
        X509Ptr leaf = std::move(certificates.front());
        certificates.clear();
        return leaf;
    }
    const auto first_leaf = std::stable_partition(
        certificates.begin(), certificates.end(),
        [](const X509Ptr& certificate) { return X509_check_ca(certificate.get()) != 0; });
    std::vector<X509Ptr> leaves(std::make_move_iterator(first_leaf),
                                std::make_move_iterator(certificates.end()));
    certificates.erase(first_leaf, certificates.end());
    if (leaves.size() == 1) return std::move(leaves.front());
    if (leaves.empty()) {
        return Error{ErrorCode::invalid,
                     "no leaf certificate found, only those of certificate authorities (" +
                         list_of(certificates) + "): add the server's own certificate",
                     where};
    }
    return Error{ErrorCode::invalid,
                 "more than one leaf certificate found (" + list_of(leaves) +
                     "): expected one; name the files of one certificate instead",
                 where};
}

// What clients trust longest comes first: valid now, and signed by another, for that is what a CA
// hands out for sending.
X509Ptr take_issuer(std::vector<X509Ptr>& authorities, X509& certificate,
                    std::chrono::system_clock::time_point now) {
    auto best = authorities.end();
    int best_rank = -1;
    for (auto it = authorities.begin(); it != authorities.end(); ++it) {
        if (!has_issued(**it, certificate)) continue;
        const int rank = (is_valid(**it, now) ? 2 : 0) + (is_self_signed(**it) ? 0 : 1);
        if (rank <= best_rank) continue;
        best = it;
        best_rank = rank;
    }
    if (best == authorities.end()) return nullptr;
    X509Ptr issuer = std::move(*best);
    authorities.erase(best);
    return issuer;
}

constexpr std::size_t longest_chain = 10;

Error broken_after(X509& last, const std::vector<X509Ptr>& leftover, const std::string& where) {
    const bool impostor = std::any_of(leftover.begin(), leftover.end(), [&](const X509Ptr& one) {
        return has_issuer_name(*one, last);
    });
    if (impostor) {
        return {ErrorCode::invalid,
                "the chain is broken: " + describe(last) + " names " + issuer_of(last) +
                    " as its issuer, but the certificate of that name did not sign it; fetch the "
                    "chain that belongs to this certificate",
                where};
    }
    return {ErrorCode::invalid,
            "the chain is broken: " + describe(last) + " is issued by " + issuer_of(last) +
                ", which is missing, and " + list_of(leftover) +
                " did not issue it; add the missing certificate or take out the others",
            where};
}

}  // namespace

Result<Chain> order_chain(std::vector<X509Ptr> certificates,
                          std::chrono::system_clock::time_point now, const std::string& where,
                          bool allow_broken) {
    drop_duplicates(certificates);
    auto leaf = take_leaf(certificates, where);
    if (leaf.has_error()) return leaf.error();

    Chain chain;
    chain.leaf = std::move(*leaf);
    X509* last = chain.leaf.get();
    while (!is_self_signed(*last)) {
        if (chain.intermediates.size() == longest_chain) {
            return Error{ErrorCode::invalid,
                         "the chain has more than " + std::to_string(longest_chain) +
                             " intermediate certificates: no client follows it so far",
                         where};
        }
        X509Ptr issuer = take_issuer(certificates, *last, now);
        if (!issuer) break;
        last = issuer.get();
        if (is_self_signed(*last)) {
            chain.root = std::move(issuer);
        } else {
            chain.intermediates.push_back(std::move(issuer));
        }
    }
    ERR_clear_error();

    std::erase_if(certificates, [&](const X509Ptr& certificate) {
        return std::any_of(
            chain.intermediates.begin(), chain.intermediates.end(),
            [&](const X509Ptr& member) { return is_same_authority(*certificate, *member); });
    });
    const bool complete = is_self_signed(*last);
    if (!complete && !certificates.empty()) {
        Error broken = broken_after(*last, certificates, where);
        if (!allow_broken) return by_guard("chain", std::move(broken));
        chain.warnings.push_back(std::move(broken.message));
    } else if (!certificates.empty()) {
        chain.warnings.push_back("left out, because they are not part of the chain: " +
                                 list_of(certificates));
    }
    if (!complete && last == chain.leaf.get()) {
        chain.warnings.push_back("no intermediate certificate: unless " + issuer_of(*last) +
                                 " is a root that all clients know, add its certificate");
    }
    for (const X509Ptr& intermediate : chain.intermediates) {
        if (is_valid(*intermediate, now)) continue;
        chain.warnings.push_back("the intermediate certificate " + describe(*intermediate) +
                                 " is expired or not yet valid");
    }
    return chain;
}

}  // namespace certcast
