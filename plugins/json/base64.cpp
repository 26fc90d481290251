#include "plugins/json/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace json_parts {

namespace {

const unsigned char* raw(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

certcast::Sensitive to_base64(std::string_view bytes) {
    certcast::Sensitive text;
    text.resize((bytes.size() + 2) / 3 * 4 + 1);  // with the NUL that OpenSSL ends it with
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), raw(bytes),
                    static_cast<int>(bytes.size()));
    text.resize(text.size() - 1);
    return text;
}

std::optional<certcast::Sensitive> from_base64(std::string_view text) {
    certcast::Sensitive digits;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
        digits += text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (digits.size() % 4 != 0) return std::nullopt;
    certcast::Sensitive bytes;
    bytes.resize(digits.size() / 4 * 3);
    const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                     raw(digits.text()), static_cast<int>(digits.size()));
    if (size < 0) return std::nullopt;
    const std::string_view all = digits.text();
    const auto padding = static_cast<std::size_t>(std::count(all.begin(), all.end(), '='));
    if (padding > 2) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(size) - padding);
    return bytes;
}

}  // namespace json_parts
