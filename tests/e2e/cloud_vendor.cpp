#include "tests/e2e/cloud_vendor.hpp"

#include <openssl/evp.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace certcast::testing {

namespace json = boost::json;

namespace {

std::string member(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    if (found == nullptr) return {};
    if (found->is_string()) return std::string(found->get_string());
    return found->is_number() ? json::serialize(*found) : "";
}

const json::object& part(const json::object& object, std::string_view key) {
    static const json::object none;
    const json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_object() ? found->get_object() : none;
}

std::string sha256_of_id(const json::object& state, std::string_view id) {
    return member(part(part(state, "certificates"), id), "sha256");
}

std::size_t certificates_in(const json::object& state) {
    return part(state, "certificates").size();
}

const json::object& domain_in(const json::object& state) {
    return part(part(state, "domains"), "shop.example");
}

constexpr std::string_view zone_id = "0123456789abcdef0123456789abcdef";
constexpr const char* keys = "access_key_secret";

}  // namespace

const CloudVendor& alibaba() {
    static const CloudVendor vendor{
        .plugin = "alibaba-cdn",
        .script = "alibaba_double.mjs",
        .settings = {{"access_key_id", "LTAI-double"},
                     {keys, "the-secret"},
                     {"state", {{"domains", {{"shop.example", json::object{}}}}}}},
        .target = "domain",
        .target_value = "shop.example",
        .config =
            "access_key_id = \"LTAI-double\"\naccess_key_secret = { env = \"CLOUD_SECRET\" }\n"
            "cas_endpoint = \"URL\"\ncdn_endpoint = \"URL\"\n",
        .upload = "UploadUserCertificate",
        .bind = "SetCdnDomainSSLCertificate",
        .renew = "SetCdnDomainSSLCertificate",
        .read = "DescribeDomainCertificateInfo",
        .throttled = "Throttling.User",
        .missing = "InvalidDomain.NotFound",
        .served =
            [](const json::object& state) {
                const json::object& domain = domain_in(state);
                if (member(domain, "ssl_protocol") != "on") return std::string();
                return sha256_of_id(state, member(domain, "cert_id"));
            },
        .certificates = certificates_in};
    return vendor;
}

const CloudVendor& tencent() {
    static const CloudVendor vendor{
        .plugin = "tencent-cdn",
        .script = "tencent_double.mjs",
        .settings = {{"access_key_id", "AKID-double"},
                     {keys, "the-secret"},
                     {"state",
                      {{"domains",
                        {{"shop.example", {{"https", json::object{}}, {"status", "online"}}}}}}}},
        .target = "domain",
        .target_value = "shop.example",
        .config =
            "secret_id = \"AKID-double\"\nsecret_key = { env = \"CLOUD_SECRET\" }\n"
            "ssl_endpoint = \"URL\"\ncdn_endpoint = \"URL\"\n",
        .upload = "UploadCertificate",
        .bind = "UpdateDomainConfig",
        .renew = "UpdateDomainConfig",
        .read = "DescribeDomainsConfig",
        .throttled = "RequestLimitExceeded",
        .missing = "is not there",
        .served =
            [](const json::object& state) {
                const json::object& https = part(domain_in(state), "https");
                if (member(https, "Switch") != "on") return std::string();
                return sha256_of_id(state, member(part(https, "CertInfo"), "CertId"));
            },
        .certificates = certificates_in};
    return vendor;
}

const CloudVendor& huawei() {
    static const CloudVendor vendor{
        .plugin = "huawei-cdn",
        .script = "huawei_double.mjs",
        .settings = {{"access_key_id", "HUAWEI-double"},
                     {keys, "the-secret"},
                     {"state", {{"domains", {{"shop.example", json::object{}}}}}}},
        .target = "domain",
        .target_value = "shop.example",
        .config =
            "access_key = \"HUAWEI-double\"\nsecret_key = { env = \"CLOUD_SECRET\" }\n"
            "scm_endpoint = \"URL\"\ncdn_endpoint = \"URL\"\n",
        .upload = "ImportCertificate",
        .bind = "UpdateDomainMultiCertificates",
        .renew = "UpdateDomainMultiCertificates",
        .read = "ShowDomainDetailByName",
        .throttled = "APIGW.0308",
        .missing = "CDN.0105",
        .served =
            [](const json::object& state) {
                const json::object& https = part(domain_in(state), "https");
                if (member(https, "https_switch") != "1") return std::string();
                return sha256_of_id(state, member(https, "scm_certificate_id"));
            },
        .certificates = certificates_in};
    return vendor;
}

const CloudVendor& cloudflare() {
    static const CloudVendor vendor{
        .plugin = "cloudflare",
        .script = "cloudflare_double.mjs",
        .settings = {{"token", "the-secret"},
                     {"state", {{"zones", {{zone_id, {{"name", "shop.example"}}}}}}}},
        .target = "zone",
        .target_value = std::string(zone_id),
        .config = "token = { env = \"CLOUD_SECRET\" }\nendpoint = \"URL/client/v4\"\n",
        .upload = "CreateCustomCertificate",
        .bind = "",
        .renew = "EditCustomCertificate",
        .read = "ListCustomCertificates",
        .throttled = "971",
        .missing = "9109",
        .served =
            [](const json::object& state) {
                const json::object& all = part(part(part(state, "zones"), zone_id), "certificates");
                return all.empty() ? std::string()
                                   : member(all.begin()->value().as_object(), "sha256");
            },
        .certificates =
            [](const json::object& state) {
                return part(part(part(state, "zones"), zone_id), "certificates").size();
            }};
    return vendor;
}

const CloudVendor& cloudfront() {
    static constexpr const char* config =
        "<?xml version=\"1.0\"?>\n"
        "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">"
        "<CallerReference>once</CallerReference>"
        "<Aliases><Quantity>0</Quantity></Aliases>"
        "<DefaultRootObject></DefaultRootObject>"
        "<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id>"
        "<DomainName>origin.example</DomainName><OriginPath></OriginPath>"
        "<CustomHeaders><Quantity>0</Quantity></CustomHeaders>"
        "<CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort>"
        "<OriginProtocolPolicy>https-only</OriginProtocolPolicy></CustomOriginConfig>"
        "</Origin></Items></Origins>"
        "<FutureSetting mode=\"a &amp; b\">  kept\n as it is </FutureSetting>"
        "<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId>"
        "<ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior>"
        "<Comment>one &lt;ViewerCertificate&gt;</Comment><Enabled>true</Enabled>"
        "<ViewerCertificate><CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate>"
        "<SSLSupportMethod>vip</SSLSupportMethod>"
        "<MinimumProtocolVersion>TLSv1</MinimumProtocolVersion>"
        "<CertificateSource>cloudfront</CertificateSource></ViewerCertificate>"
        "<HttpVersion>http2</HttpVersion></DistributionConfig>";
    static const CloudVendor vendor{
        .plugin = "aws-cloudfront",
        .script = "aws_double.py",
        .settings = {{"access_key_id", "AKIADOUBLE"},
                     {keys, "the-secret"},
                     {"state",
                      {{"distributions",
                        {{"E2DOUBLE", {{"config", config}, {"status", "Deployed"}}}}}}}},
        .target = "distribution",
        .target_value = "E2DOUBLE",
        .config =
            "access_key_id = \"AKIADOUBLE\"\nsecret_access_key = { env = \"CLOUD_SECRET\" }\n"
            "acm_endpoint = \"URL\"\ncloudfront_endpoint = \"URL\"\n",
        .upload = "ImportCertificate",
        .bind = "UpdateDistribution",
        .renew = "ImportCertificate",
        .read = "GetDistribution",
        .throttled = "ThrottlingException",
        .missing = "NoSuchDistribution",
        .served =
            [](const json::object& state) {
                const std::string xml =
                    member(part(part(state, "distributions"), "E2DOUBLE"), "config");
                const std::string tag = "<ACMCertificateArn>";
                const std::size_t begin = xml.find(tag);
                if (begin == std::string::npos) return std::string();
                const std::size_t end = xml.find('<', begin + tag.size());
                return sha256_of_id(state,
                                    xml.substr(begin + tag.size(), end - begin - tag.size()));
            },
        .certificates = certificates_in};
    return vendor;
}

namespace {

std::string to_base64(const std::string& bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    text.resize(static_cast<std::size_t>(EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()))));
    return text;
}

json::object merged(json::object settings, const json::object& more) {
    for (const auto& [key, value] : more) settings[key] = value;
    return settings;
}

}  // namespace

std::vector<CloudVendor> cloud_vendors() {
    if (!cdn_is_installed()) return {};
    return {alibaba(), tencent(), huawei(), cloudflare(), cloudfront()};
}

std::string fault(const std::string& action, const std::string& what) {
    return R"([{"on": ")" + action + R"(", "do": )" + what + "}]";
}

Cloud::Cloud(CloudVendor vendor, const json::object& more)
    : vendor_(std::move(vendor)),
      intermediate_(make_certificate(
          {.subject = "Test Intermediate", .issuer = &workspace_.authority(), .is_ca = true})),
      settings_(merged(vendor_.settings, more)) {
    begin_again(settings_.at("state").as_object());
    workspace_.environment()["CLOUD_SECRET"] = "the-secret";
    // Cloudflare tells certificates for the same hosts apart by their ends alone.
    issue("former", {.names = {"DNS:shop.example"}, .ends_in = 24h * 80}, intermediate_);
    issue("newer");
}

Cloud::~Cloud() {
    if (!looks_for_keys_) return;
    for (const auto& [certificate, sha256] : sha256_) expect_key_nowhere(certificate, {});
}

void Cloud::begin_again(const json::object& state) {
    settings_["state"] = state;
    double_.reset();
    double_ = std::make_unique<CloudDouble>(workspace_, vendor_.script, settings_);
}

void Cloud::issue(const std::string& name, KeyKind kind, std::vector<std::string> names) {
    issue(name, {.names = std::move(names), .key_kind = kind}, intermediate_);
}

void Cloud::issue_by_rsa(const std::string& name) {
    const Issued root = make_certificate(
        {.subject = "RSA Authority", .is_ca = true, .key_kind = KeyKind::rsa_2048});
    const Issued intermediate = make_certificate({.subject = "RSA Intermediate",
                                                  .issuer = &root,
                                                  .is_ca = true,
                                                  .key_kind = KeyKind::rsa_2048});
    issue(name, {.names = {"DNS:shop.example"}, .key_kind = KeyKind::rsa_2048}, intermediate);
}

void Cloud::issue(const std::string& name, const CertificateWish& wish,
                  const Issued& intermediate) {
    CertificateWish whole = wish;
    whole.issuer = &intermediate;
    const Issued issued = make_certificate(whole);
    workspace_.folder().write(name + ".pem",
                              pem(issued.certificate) + pem(intermediate.certificate));
    workspace_.folder().write(name + ".key", pem(issued.key));
    sha256_[name] = sha256_of(issued);
}

void Cloud::take(const std::string& name, const Cloud& other) {
    for (const char* kind : {".pem", ".key"}) {
        workspace_.folder().write(name + kind, read_text(other.workspace() / (name + kind)));
    }
    sha256_[name] = other.sha256(name);
}

void Cloud::expect_key_nowhere(const std::string& certificate, const Run& run) const {
    const std::string key = read_text(workspace_ / (certificate + ".key"));
    // Its second line, and how it looks where the whole is base64.
    const std::size_t line = key.find('\n') + 1;
    std::vector<std::string> traces{key.substr(line, 40)};
    for (std::size_t shift = 0; shift < 3; ++shift) {
        traces.push_back(to_base64(key.substr(line + shift, 30)));
    }
    const auto expect_none = [&](const std::string& text, const std::string& where) {
        for (const std::string& trace : traces) {
            CHECK_MESSAGE(!says(text, trace), where, " shows the key");
        }
    };
    expect_none(run.output + run.errors, "what certcast says");
    expect_none(boost::json::serialize(run.report), "the report");
    for (const CloudRequest& request : double_->requests()) {
        expect_none(request.url, "a URL");
        expect_none(request.headers, "a header");
        const bool takes_keys = request.action == vendor_.upload || request.action == vendor_.renew;
        if (!takes_keys) expect_none(request.body, "the body of " + request.action);
    }
    std::error_code none;
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(workspace_ / "state", none)) {
        if (file.is_regular_file()) expect_none(read_text(file.path()), file.path().string());
    }
}

std::string Cloud::pipeline(const std::string& certificate, const std::string& more,
                            const std::string& entry) const {
    return workspace_.head({certificate}) + "[deploy.cloud]\nplugin = \"" + vendor_.plugin +
           "\"\ncertificate = \"" + certificate +
           "\"\nprobe = false\nguards = { older = \"off\" }\n" + entry + "[deploy.cloud.config]\n" +
           vendor_.target + " = \"" + vendor_.target_value + "\"\n" +
           with(vendor_.config, "URL", double_->url()) + "ca_file = \"" +
           (workspace_ / "authority.pem").string() +
           "\"\npoll = \"10ms\"\nrequest_timeout = \"2s\"\n" + more;
}

Run Cloud::run_in_vain(const std::string& certificate, const std::string& more) const {
    return workspace_.run(with(pipeline(certificate, more), "probe = false",
                               "probe = [{ address = \"127.0.0.1:1\", timeout = \"300ms\" }]"));
}

}  // namespace certcast::testing
