#pragma once

#include <certcast/sensitive.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a PKCS#12 file holds, the certificates as DER.
struct Pkcs12Contents {
    std::string leaf;
    std::vector<std::string> chain;
    certcast::Sensitive key;
    std::string friendly_name;
    int mac_digest = 0;  ///< OpenSSL's number: tells the profiles apart

    friend bool operator==(const Pkcs12Contents&, const Pkcs12Contents&) = default;
};

/// Nothing where it is no PKCS#12 file, the password is another one, or it is encrypted with RC2,
/// which OpenSSL 3 has set aside. Two files with equal contents are never equal in their bytes,
/// which is why they are compared like this.
std::optional<Pkcs12Contents> read_pkcs12(std::string_view bytes,
                                          const certcast::Sensitive& password);
