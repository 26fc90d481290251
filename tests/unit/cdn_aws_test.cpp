#include "plugins/cdn/aws_cloudfront/aws_credentials.hpp"
#include "plugins/cdn/aws_cloudfront/viewer_certificate.hpp"
#include "plugins/cdn/leaf.hpp"

#include <doctest/doctest.h>
#include <certcast/errors.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace cdn;

namespace {

const std::string head =
    "<?xml version=\"1.0\"?>\n<!-- <ViewerCertificate/> -->\n"
    "<DistributionConfig xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">"
    "<Comment><![CDATA[<ViewerCertificate>]]> &amp; more</Comment>\n  ";
const std::string tail =
    "\n<Unknown a='1'>\t<Deeper/></Unknown><HttpVersion>http2</HttpVersion></DistributionConfig>\n";

std::string config(const std::string& viewer) {
    return head + viewer + tail;
}

std::string tag(const std::string& name, const std::string& value) {
    return "<" + name + ">" + value + "</" + name + ">";
}

}  // namespace

TEST_CASE("a distribution's certificate is exchanged, and every other byte stays") {
    for (const std::string& viewer :
         {tag("ViewerCertificate", tag("CloudFrontDefaultCertificate", "true")),
          std::string("<ViewerCertificate/>"),
          "<ViewerCertificate attribute=\"x\">\n" + tag("ACMCertificateArn", "arn:old") +
              "\n</ViewerCertificate >"}) {
        CAPTURE(viewer);
        CHECK(viewer_certificate_in(config(viewer)) == viewer);
        const std::string bound = bound_to(viewer, "arn:new");
        CHECK(certificate_arn_in(bound) == "arn:new");
        CHECK(with_viewer_certificate(config(viewer), bound) == config(bound));
        CHECK(with_viewer_certificate(config(bound), viewer) == config(viewer));
    }
}

TEST_CASE("of a certificate's settings those are kept that belong to it, also unknown ones") {
    const std::string method = tag("SSLSupportMethod", "static-ip");
    const std::string version = tag("MinimumProtocolVersion", "TLSv1.3_2025");
    const std::string unknown = "<Future x=\"&lt;\">of <b/> later</Future>";
    const std::string bound = bound_to(
        tag("ViewerCertificate", tag("IAMCertificateId", "iam") + method + unknown + version +
                                     tag("Certificate", "iam") + tag("CertificateSource", "iam")),
        "arn:new");
    CHECK(bound == tag("ViewerCertificate",
                       tag("ACMCertificateArn", "arn:new") + method + unknown + version));
    CHECK(bound_to(tag("ViewerCertificate", tag("ACMCertificateArn", "arn:old")), "a&b<c") ==
          tag("ViewerCertificate", tag("ACMCertificateArn", "a&amp;b&lt;c") +
                                       tag("SSLSupportMethod", "sni-only") +
                                       tag("MinimumProtocolVersion", "TLSv1.2_2021")));
}

TEST_CASE("what is no configuration is refused, however it is broken") {
    const std::string whole = config(tag("ViewerCertificate", tag("ACMCertificateArn", "arn:old")));
    CHECK_THROWS_AS(viewer_certificate_in(""), certcast::remote_error);
    CHECK_THROWS_AS(viewer_certificate_in("<Other/>"), certcast::remote_error);
    CHECK_THROWS_AS(viewer_certificate_in("<DistributionConfig/>"), certcast::remote_error);
    const std::size_t end = whole.rfind("</DistributionConfig>");
    for (std::size_t size = 0; size < end; ++size) {
        CHECK_THROWS_AS(viewer_certificate_in(std::string_view(whole).substr(0, size)),
                        certcast::remote_error);
    }
}

TEST_CASE("a certificate is for the hosts that it names, and for one label in a wildcard's place") {
    const std::vector<std::string> names{"shop.example", "*.cdn.example"};
    CHECK(is_for(names, "Shop.example"));
    CHECK(is_for(names, "a.cdn.example"));
    CHECK(is_for(names, "*.cdn.example"));
    CHECK_FALSE(is_for(names, "cdn.example"));
    CHECK_FALSE(is_for(names, "a.b.cdn.example"));
    CHECK_FALSE(is_for(names, "*.shop.example"));
    CHECK_FALSE(is_for({}, "shop.example"));
}

TEST_CASE("a profile is found among others") {
    const std::string file =
        "aws_access_key_id = before all\n"
        "[default]\n  aws_access_key_id = AKIA1  \naws_secret_access_key=s1=with/equals\n"
        "; a remark\r\n\n[ shop ]\r\naws_access_key_id=AKIA2\r\naws_secret_access_key = s2\r\n"
        "aws_session_token = t2\r\nregion = eu-west-1\r\n[half]\naws_access_key_id = "
        "AKIA3\n[broken\n";
    const auto profile = [&](const char* name) { return profile_in("/file", file, name); };
    CHECK(profile("default").id == "AKIA1");
    CHECK(profile("default").secret == "s1=with/equals");
    CHECK(profile("default").token.empty());
    CHECK(profile("shop").id == "AKIA2");
    CHECK(profile("shop").secret == "s2");
    CHECK(profile("shop").token == "t2");
    const auto fails = [&](const char* name, const char* why) {
        try {
            profile(name);
            FAIL("it was found");
        } catch (const certcast::config_error& error) {
            CHECK(std::string_view(error.what()).find(why) != std::string_view::npos);
            CHECK(std::string_view(error.what()).find("/file") != std::string_view::npos);
        }
    };
    fails("other", "there is no such profile");
    fails("half", "has no aws_secret_access_key");
}
