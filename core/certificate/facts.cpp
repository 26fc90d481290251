#include "core/certificate/facts.hpp"

#include "core/certificate/openssl.hpp"

#include <arpa/inet.h>
#include <time.h>

#include <string_view>

namespace certcast {

namespace {

std::string_view text_of(const ASN1_STRING& string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&string)),
            static_cast<std::size_t>(ASN1_STRING_length(&string))};
}

// Names go into lists with one name a line, and onto terminals.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (byte > 0x20 && byte < 0x7f) {
            out += c;
        } else {
            out += "\\x" + lower_hex(std::span(&byte, 1));
        }
    }
    return out;
}

std::string address_text(const ASN1_OCTET_STRING& address) {
    char text[INET6_ADDRSTRLEN] = "";
    const int length = ASN1_STRING_length(&address);
    if (length != 4 && length != 16) return {};
    const int family = length == 4 ? AF_INET : AF_INET6;
    return inet_ntop(family, ASN1_STRING_get0_data(&address), text, sizeof text) ? text : "";
}

std::string distinguished_name(const X509_NAME* name) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    // UTF-8 stays readable; control characters are still escaped.
    const unsigned long format =
        XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
    if (!out || X509_NAME_print_ex(out.get(), name, 0, format) < 0) return {};
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string common_name(const X509& certificate) {
    const X509_NAME* subject = X509_get_subject_name(&certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    return printable(text_of(*X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
}

Result<std::int64_t> seconds_of(const ASN1_TIME* time) {
    tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) {
        ERR_clear_error();
        return Error{ErrorCode::invalid, "a time in the certificate cannot be read", {}};
    }
    return static_cast<std::int64_t>(timegm(&parts));
}

}  // namespace

Sha256 fingerprint_of(const X509& certificate) {
    Sha256 digest{};
    X509_digest(&certificate, EVP_sha256(), digest.data(), nullptr);
    return digest;
}

Sha256 spki_fingerprint_of(const X509& certificate) {
    Sha256 digest{};
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
    if (size > 0) {
        digest = sha256_of({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
    }
    OPENSSL_free(der);
    return digest;
}

std::vector<std::uint8_t> serial_of(const X509& certificate) {
    const BignumPtr number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
    if (!number || BN_is_zero(number.get())) return {0};
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
    BN_bn2bin(number.get(), bytes.data());
    return bytes;
}

std::string subject_of(const X509& certificate) {
    return distinguished_name(X509_get_subject_name(&certificate));
}

std::string issuer_of(const X509& certificate) {
    return distinguished_name(X509_get_issuer_name(&certificate));
}

std::vector<std::string> names_of(const X509& certificate) {
    int presence = -1;
    const GeneralNamesPtr general(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, &presence, nullptr)));
    ERR_clear_error();
    std::vector<std::string> names;
    if (presence == -1) {
        std::string name = common_name(certificate);
        if (!name.empty()) names.push_back(std::move(name));
        return names;
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(general.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(general.get(), i);
        if (name->type == GEN_DNS) names.push_back(printable(text_of(*name->d.dNSName)));
        if (name->type != GEN_IPADD) continue;
        std::string address = address_text(*name->d.iPAddress);
        if (!address.empty()) names.push_back(std::move(address));
    }
    return names;
}

std::string describe(const X509& certificate) {
    std::string subject = subject_of(certificate);
    if (!subject.empty()) return subject;
    std::vector<std::string> names = names_of(certificate);
    if (!names.empty()) return std::move(names.front());
    return "serial number " + lower_hex(serial_of(certificate));
}

bool Validity::includes(std::chrono::system_clock::time_point now) const {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    return not_before <= seconds && seconds <= not_after;
}

Result<Validity> validity_of(const X509& certificate) {
    const auto not_before = seconds_of(X509_get0_notBefore(&certificate));
    if (not_before.has_error()) return not_before.error();
    const auto not_after = seconds_of(X509_get0_notAfter(&certificate));
    if (not_after.has_error()) return not_after.error();
    return Validity{*not_before, *not_after};
}

std::string utc_text(std::int64_t seconds) {
    const time_t time = seconds;
    tm parts{};
    char text[64] = "";
    if (gmtime_r(&time, &parts) != nullptr) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    }
    return text;
}

namespace {

std::string in_small_letters(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

}  // namespace

// A name, or one whosefirst label is "*", which stands for just one label.
bool covers_name(const std::string& pattern, const std::string& name) {
    const std::string known = in_small_letters(pattern);
    std::string wanted = in_small_letters(name);
    if (wanted.ends_with('.')) wanted.pop_back();
    if (known == wanted) return true;
    const std::size_t dot = wanted.find('.');
    return known.starts_with("*.") && dot != std::string::npos && dot != 0 &&
           known.substr(1) == wanted.substr(dot);
}

std::string lower_hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 0xf];
    }
    return text;
}

Sha256 sha256_of(std::string_view bytes) {
    Sha256 digest{};
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return digest;
}

std::string to_hex(const Sha256& digest) {
    return lower_hex(digest);
}

}  // namespace certcast
