#include "plugins/cdn/aws_cloudfront/viewer_certificate.hpp"

#include <certcast/errors.hpp>

#include <array>
#include <cstring>
#include <pugixml.hpp>
#include <utility>
#include <vector>

namespace cdn {

namespace {

constexpr const char* element_name = "ViewerCertificate";

[[noreturn]] void throw_unreadable(const std::string& why) {
    throw certcast::remote_error("the configuration of the distribution: " + why).permanent();
}

/// The text that an element takes up.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

class Config {
public:
    explicit Config(std::string_view text) : text_(text) {
        const pugi::xml_parse_result parsed =
            document_.load_buffer(text.data(), text.size(), pugi::parse_full, pugi::encoding_utf8);
        if (!parsed) throw_unreadable(parsed.description());
    }

    pugi::xml_node root() const { return document_.document_element(); }

    /// pugixml says where an element's name begins; its end is looked for.
    Span span_of(const pugi::xml_node& node) const {
        const auto name = static_cast<std::size_t>(node.offset_debug());
        const std::size_t first_end = text_.find('>', name);
        if (first_end == std::string_view::npos) throw_unreadable("it breaks off");
        if (text_[first_end - 1] == '/') return {name - 1, first_end + 1};
        const std::string closing = std::string("</") + node.name();
        const std::size_t last = text_.find(closing, first_end);
        const std::size_t end =
            last == std::string_view::npos ? std::string_view::npos : text_.find('>', last);
        if (end == std::string_view::npos) throw_unreadable("it breaks off");
        return {name - 1, end + 1};
    }

private:
    std::string_view text_;
    pugi::xml_document document_;
};

Span viewer_certificate_of(const Config& config) {
    const pugi::xml_node found = config.root().child(element_name);
    if (std::strcmp(config.root().name(), "DistributionConfig") != 0 || !found) {
        throw_unreadable("expected a DistributionConfig with a ViewerCertificate, found <" +
                         std::string(config.root().name()) + ">");
    }
    return config.span_of(found);
}

bool names_a_certificate(const char* name) {
    static constexpr std::array names{"CloudFrontDefaultCertificate", "IAMCertificateId",
                                      "ACMCertificateArn", "Certificate", "CertificateSource"};
    for (const char* known : names) {
        if (std::strcmp(name, known) == 0) return true;
    }
    return false;
}

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '&') {
            safe += "&amp;";
        } else if (c == '<') {
            safe += "&lt;";
        } else {
            safe += c;
        }
    }
    return safe;
}

}  // namespace

std::string viewer_certificate_in(std::string_view config) {
    const Span span = viewer_certificate_of(Config(config));
    return std::string(config.substr(span.begin, span.end - span.begin));
}

std::string with_viewer_certificate(std::string_view config, std::string_view element) {
    const Span span = viewer_certificate_of(Config(config));
    std::string changed(config.substr(0, span.begin));
    changed += element;
    changed += config.substr(span.end);
    return changed;
}

std::string certificate_arn_in(std::string_view element) {
    return Config(element).root().child("ACMCertificateArn").text().get();
}

std::string bound_to(std::string_view element, std::string_view arn) {
    const Config config(element);
    const pugi::xml_node root = config.root();
    const bool was_default = root.child("CloudFrontDefaultCertificate").text().as_bool();
    std::string bound = "<" + std::string(element_name) + "><ACMCertificateArn>" + escaped(arn) +
                        "</ACMCertificateArn>";
    const auto kept = [&](const char* name, const char* otherwise) {
        const pugi::xml_node given = root.child(name);
        if (given && !was_default) return;  // with all others
        bound += "<" + std::string(name) + ">" + otherwise + "</" + name + ">";
    };
    kept("SSLSupportMethod", "sni-only");
    kept("MinimumProtocolVersion", "TLSv1.2_2021");
    for (const pugi::xml_node& child : root.children()) {
        if (child.type() != pugi::node_element || names_a_certificate(child.name())) continue;
        const bool is_of_the_default = std::strcmp(child.name(), "SSLSupportMethod") == 0 ||
                                       std::strcmp(child.name(), "MinimumProtocolVersion") == 0;
        if (was_default && is_of_the_default) continue;
        const Span span = config.span_of(child);
        bound += element.substr(span.begin, span.end - span.begin);
    }
    return bound + "</" + element_name + ">";
}

}  // namespace cdn
