#pragma once

#include "core/certificate/certificate_bundle.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace certcast {

Sha256 fingerprint_of(const X509& certificate);
Sha256 spki_fingerprint_of(const X509& certificate);

/// Big-endian, without leading zeros.
std::vector<std::uint8_t> serial_of(const X509& certificate);

/// As RFC 2253 writes them: "CN=shop.example,O=Shop".
std::string subject_of(const X509& certificate);
std::string issuer_of(const X509& certificate);

/// DNS names and IP addresses; the common name only where there is no subjectAltName at all.
std::vector<std::string> names_of(const X509& certificate);

/// For messages: the subject, or else the first name, or else the serial number.
std::string describe(const X509& certificate);

/// Seconds since 1970-01-01 UTC.
struct Validity {
    std::int64_t not_before = 0;
    std::int64_t not_after = 0;

    bool includes(std::chrono::system_clock::time_point now) const;
};
Result<Validity> validity_of(const X509& certificate);

/// "2026-03-01 12:00:00 UTC".
std::string utc_text(std::int64_t seconds);

std::string lower_hex(std::span<const std::uint8_t> bytes);

}  // namespace certcast
