// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

namespace detail {

/// The bytes behind base64 text with line breaks, or nothing where it is not base64.
inline std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    bool padded = false;
    for (const char c : text) {
        std::uint32_t value = 0;
        if (c >= 'A' && c <= 'Z')
            value = static_cast<std::uint32_t>(c - 'A');
        else if (c >= 'a' && c <= 'z')
            value = static_cast<std::uint32_t>(c - 'a') + 26;
        else if (c >= '0' && c <= '9')
            value = static_cast<std::uint32_t>(c - '0') + 52;
        else if (c == '+')
            value = 62;
        else if (c == '/')
            value = 63;
        else if (c == '=') {
            padded = true;
            continue;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        else
            return std::nullopt;
        if (padded) return std::nullopt;
        bits = (bits << 6) | value;
        if (++count % 4 != 1) {
            const int left = (4 - (count - 1) % 4 - 1) * 2;
            bytes += static_cast<char>((bits >> left) & 0xff);
        }
    }
    if (count % 4 == 1) return std::nullopt;
    return bytes;
}

}  // namespace detail

/// The certificates in PEM text as DER, in their order. Keys, other blocks and what is no PEM are
/// passed over.
inline std::vector<std::string> certificates_in(std::string_view pem) {
    static constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
    static constexpr std::string_view end = "-----END CERTIFICATE-----";
    std::vector<std::string> found;
    for (;;) {
        const std::size_t start = pem.find(begin);
        if (start == std::string_view::npos) return found;
        pem.remove_prefix(start + begin.size());
        const std::size_t stop = pem.find(end);
        if (stop == std::string_view::npos) return found;
        if (auto der = detail::from_base64(pem.substr(0, stop)); der && !der->empty()) {
            found.push_back(*std::move(der));
        }
        pem.remove_prefix(stop + end.size());
    }
}

/// The first certificate in PEM text as DER: in a full chain, the leaf.
inline std::optional<std::string> first_certificate(std::string_view pem) {
    auto all = certificates_in(pem);
    if (all.empty()) return std::nullopt;
    return std::move(all.front());
}

}  // namespace certcast
