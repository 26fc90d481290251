#include "plugins/cdn/contents.hpp"

#include "plugins/cdn/signing/digest.hpp"
#include "plugins/json/parts.hpp"

#include <certcast/pem.hpp>

#include <vector>

namespace cdn {

namespace json = boost::json;

Contents contents_of(const certcast::Job& job) {
    return {job.leaf_pem(), job.chain_pem(), job.key_pem()};
}

json::object to_json(const Contents& contents) {
    return {{"leaf", contents.leaf_pem},
            {"chain", contents.chain_pem},
            {"key", contents.key_pem.text()}};
}

Contents contents_in(const json::object& object) {
    const auto text = [&](const char* key) {
        return std::string(json_parts::text_in(object, key).value_or(""));
    };
    return {text("leaf"), text("chain"),
            certcast::Sensitive(json_parts::text_in(object, "key").value_or(""))};
}

std::string name_of(std::string_view fullchain_pem) {
    std::string all;
    for (const std::string& der : certcast::certificates_in(fullchain_pem)) all += der;
    constexpr std::size_t digits = 22;  // of the SHA-256; some vendors show no longer names
    return std::string(upload_prefix) + sha256_hex(all).substr(0, digits);
}

bool holds_leaf(std::string_view shown_pem, std::string_view leaf_pem) {
    const auto shown = certcast::first_certificate(shown_pem);
    return shown && shown == certcast::first_certificate(leaf_pem);
}

bool holds(std::string_view shown_pem, std::string_view fullchain_pem) {
    const std::vector<std::string> shown = certcast::certificates_in(shown_pem);
    return !shown.empty() && shown == certcast::certificates_in(fullchain_pem);
}

}  // namespace cdn
