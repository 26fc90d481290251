#pragma once

#include "core/certificate/certificate_bundle.hpp"
#include "core/certificate/sources.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_certificates.hpp"

#include <certcast/plugin.h>
#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace certcast::testing {

/// A root, an intermediate and a leaf of shop.example, made once.
struct Authority {
    Issued root = make_certificate({.subject = "Test Root", .is_ca = true});
    Issued middle =
        make_certificate({.subject = "Test Intermediate", .issuer = &root, .is_ca = true});
    Issued leaf = make_certificate(
        {.names = {"DNS:shop.example", "DNS:*.shop.example", "IP:192.0.2.7", "IP:2001:db8::1"},
         .issuer = &middle});
    Issued older = make_certificate({.names = {"DNS:shop.example"}, .issuer = &middle});
    Issued other = make_certificate(
        {.subject = "mail.example", .names = {"DNS:mail.example"}, .issuer = &middle});
};

inline const Authority& ca() {
    static const Authority authority;
    return authority;
}

inline std::string fullchain() {
    return pem(ca().leaf.certificate) + pem(ca().middle.certificate);
}

template <typename T>
std::string message_of(const Result<T>& result) {
    return result.has_error() ? result.error().text() : std::string("no error");
}

inline bool says(const std::string& message, std::string_view words) {
    if (message.find(words) != std::string::npos) return true;
    MESSAGE("expected \"", std::string(words), "\" in: ", message);
    return false;
}

inline Result<CertificateBundle> load(const std::filesystem::path& source,
                                      std::string_view passphrase = {},
                                      const BundleRules& rules = {}) {
    auto parts = read_source(source, Secret(passphrase));
    if (parts.has_error()) return parts.error();
    return CertificateBundle::from(std::move(*parts), rules);
}

inline Result<CertificateBundle> load_text(std::string_view content,
                                           std::string_view passphrase = {},
                                           const BundleRules& rules = {}) {
    const TemporaryFolder folder;
    return load(folder.write("anything", content), passphrase, rules);
}

inline std::string text(const CertificateBundle& bundle, std::uint32_t kind) {
    const auto material = bundle.material(kind);
    return material.has_error() ? material.error().text() : std::string(material->text());
}

inline bool holds_shop(const Result<CertificateBundle>& bundle) {
    if (bundle.has_error()) {
        MESSAGE(bundle.error().text());
        return false;
    }
    return text(*bundle, CERTCAST_FULLCHAIN_PEM) == fullchain() &&
           text(*bundle, CERTCAST_KEY_PEM) == pem(ca().leaf.key);
}

inline std::string pkcs12(std::string_view password, Pkcs12Profile profile) {
    const auto bundle = load_text(fullchain() + pem(ca().leaf.key));
    return std::string(
        bundle.value().material(CERTCAST_PKCS12, password, "shop", profile).value().text());
}

}  // namespace certcast::testing
