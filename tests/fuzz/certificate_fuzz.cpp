// The files that hold one certificate, told apart by content. Several are joined by a line
// "--file--". What is encrypted opens with the passphrase "secret".

#include "core/certificate/certificate_bundle.hpp"
#include "core/certificate/parse.hpp"
#include "tests/fuzz/expect.hpp"

#include <certcast/plugin.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace {

std::vector<Secret> files_of(std::string_view input) {
    constexpr std::string_view separator = "\n--file--\n";
    std::vector<Secret> files;
    for (;;) {
        const std::size_t end = input.find(separator);
        files.emplace_back(input.substr(0, end));
        if (end == std::string_view::npos) return files;
        input.remove_prefix(end + separator.size());
    }
}

CertificateParts parts_of(const std::vector<Secret>& files, const Secret& passphrase) {
    CertificateParts parts;
    parts.where = "/etc/tls";
    for (const Secret& file : files) {
        const auto found = parse_into(parts, file, passphrase, parts.where);
        if (found) continue;
        expect(!found.error().message.empty(), "a refusal says why");
        if (!parts.missed) parts.missed = found.error();
    }
    return parts;
}

CertificateParts copy_of(const CertificateParts& parts) {
    CertificateParts copy;
    copy.warnings = parts.warnings;
    copy.missed = parts.missed;
    copy.where = parts.where;
    for (const X509Ptr& certificate : parts.certificates) {
        X509_up_ref(certificate.get());
        copy.certificates.emplace_back(certificate.get());
    }
    for (const KeyPtr& key : parts.keys) {
        EVP_PKEY_up_ref(key.get());
        copy.keys.emplace_back(key.get());
    }
    return copy;
}

void use(const Result<CertificateBundle>& bundle) {
    if (!bundle) {
        expect(!bundle.error().message.empty(), "a refusal says why");
        return;
    }
    expect(!bundle->serial_hex().empty(), "a certificate has a serial number");
    for (std::uint32_t kind = CERTCAST_LEAF_PEM; kind <= CERTCAST_NOT_AFTER; ++kind) {
        // Thousands of rounds of hashing would only slow the fuzzer down.
        if (kind != CERTCAST_PKCS12) static_cast<void>(bundle->material(kind));
    }
    const auto der = bundle->material(CERTCAST_LEAF_DER);
    expect(der && material_of_der(der->bytes(), CERTCAST_LEAF_PEM), "a certificate is read back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Fixed, so that what is found today is found in the years to come.
    constexpr std::chrono::sys_days now = std::chrono::year(2026) / 1 / 1;
    const BundleRules strict{.now = now};
    const BundleRules lenient{.allow_outside_validity = true, .without_key = true, .now = now};
    const auto files = files_of({reinterpret_cast<const char*>(data), size});
    for (const std::string_view passphrase : {"", "secret"}) {
        const CertificateParts parts = parts_of(files, Secret(passphrase));
        use(CertificateBundle::from(copy_of(parts), strict));
        use(CertificateBundle::from(copy_of(parts), lenient));
        if (!parts.missed) break;  // a passphrase would open nothing more
    }
    return 0;
}
