#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace certcast::testing;

namespace json = boost::json;

namespace {

const json::object& domain_of(const json::object& state) {
    return state.at("domains").at("shop.example").as_object();
}

json::object state_with(const CloudVendor& vendor, const json::object& domain) {
    json::object state = vendor.settings.at("state").as_object();
    state.at("domains").as_object()["shop.example"] = domain;
    return state;
}

}  // namespace

TEST_CASE("Tencent: a domain's other settings of HTTPS stay") {
    if (!cdn_is_installed()) return;
    const json::object https{
        {"Switch", "off"},
        {"Http2", "on"},
        {"OcspStapling", "on"},
        {"Hsts", {{"Switch", "on"}, {"MaxAge", 300}, {"IncludeSubDomains", "off"}}},
        {"TlsVersion", {"TLSv1.2", "TLSv1.3"}}};
    Cloud cloud(tencent(),
                {{"state", state_with(tencent(), {{"https", https}, {"status", "online"}})}});
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    const auto expect_kept = [&] {
        const json::object now = domain_of(cloud.vendor_double().state()).at("https").as_object();
        for (const char* key : {"Http2", "OcspStapling", "Hsts", "TlsVersion"}) {
            CAPTURE(key);
            CHECK(now.at(key) == https.at(key));
        }
    };
    expect_kept();
    REQUIRE(cloud.run_in_vain("newer").text("cloud", "status") == "failed");
    CHECK(cloud.served() == cloud.sha256("former"));
    expect_kept();
}

TEST_CASE("Tencent: SSL Certificates deploys where the pipeline says so") {
    if (!cdn_is_installed()) return;
    const std::string method = "method = \"deploy\"\n";
    SUBCASE("and its end is waited for") {
        Cloud cloud(tencent());
        const Run run = cloud.run("former", method);
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("former"));
        CHECK(cloud.count("UpdateDomainConfig") == 0);
        CHECK(cloud.count("DescribeHostDeployRecordDetail") >= 2);
        CHECK(cloud.run("former", method).text("cloud", "status") == "unchanged");
    }
    SUBCASE("and one that has no end ends at the deadline") {
        Cloud cloud(tencent(), {{"polls", -1}});
        const Run run = cloud.workspace().run(cloud.pipeline(
            "former", method, "timeouts = { deploy = \"1s\", rollback = \"500ms\" }\n"));
        CAPTURE(run.output);
        CHECK(says(run.message("cloud"), "the deployment is under way"));
    }
}

TEST_CASE("Tencent: a certificate that is there already is not uploaded again, and stays") {
    if (!cdn_is_installed()) return;
    const Cloud source(tencent());
    json::object state = tencent().settings.at("state").as_object();
    state["certificates"] = {{"theirs11",
                              {{"certificate", read_text(source.workspace() / "former.pem")},
                               {"sha256", source.sha256("former")},
                               {"key_sha256", "of theirs"},
                               {"alias", "by hand"},
                               {"type", "SVR"}}}};
    Cloud cloud(tencent(), {{"state", state}});
    cloud.take("former", source);
    const Run run = cloud.run("former");
    CAPTURE(run.output);
    REQUIRE(run.text("cloud", "status") == "changed");
    CHECK(cloud.certificates() == 1);
    CHECK(cloud.run("former").text("cloud", "status") == "unchanged");
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    CHECK(cloud.certificates() == 2);
}

TEST_CASE(
    "Huawei: a domain's other settings stay, and nothing is asked for that costs or exports") {
    if (!cdn_is_installed()) return;
    Cloud cloud(huawei());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    json::object state = cloud.vendor_double().state();
    json::object& https = state.at("domains").at("shop.example").at("https").as_object();
    https["http2"] = 1;
    https["access_origin_way"] = 3;
    https["force_redirect_https"] = 1;
    https["force_redirect_config"] = {{"switch", 1}, {"redirect_type", "https"}};
    Cloud again(huawei(), {{"state", state}});
    const auto expect_kept = [&] {
        const json::object now = domain_of(again.vendor_double().state()).at("https").as_object();
        for (const char* key : {"http2", "access_origin_way", "force_redirect_config"}) {
            CAPTURE(key);
            CHECK(now.at(key) == https.at(key));
        }
    };
    const Run in_vain = again.run_in_vain("newer");
    CAPTURE(in_vain.output);
    CHECK(again.served() == cloud.sha256("former"));
    expect_kept();
    REQUIRE(again.run("newer").text("cloud", "status") == "changed");
    CHECK(again.served() == again.sha256("newer"));
    expect_kept();
    for (const char* never :
         {"ExportCertificate", "DeployCertificate", "PushCertificate", "BatchPushCertificate"}) {
        CHECK(again.count(never) == 0);
    }
}

TEST_CASE("Huawei: what CDN says of a domain in an answer of 200 is heard") {
    if (!cdn_is_installed()) return;
    Cloud cloud(huawei());
    cloud.vendor_double().set_faults(
        fault("UpdateDomainMultiCertificates",
              R"("answer", "status": 200, "body": "{\"status\": \"success\", \"result\": )"
              R"([{\"domain_name\": \"shop.example\", \"status\": \"fail\", )"
              R"(\"reason\": \"of its own\"}]}")"));
    const Run run = cloud.run("former");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "failed");
    CHECK(says(run.message("cloud"), "of its own"));
    CHECK(cloud.served().empty());
}

TEST_CASE("Alibaba: parameters go by the query where the pipeline says so") {
    if (!cdn_is_installed()) return;
    Cloud cloud(alibaba());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    for (const CloudRequest& request : cloud.vendor_double().requests()) {
        CHECK((request.url == "/" || request.action == "DescribeCertificateInfoByID"));
    }
    cloud.issue("newest");
    cloud.lets_keys_be_sent_in_the_open();
    const Run run = cloud.run("newest", "request_style = \"query\"\n");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newest"));
    CHECK(says(cloud.vendor_double().requests().back().url, "/?"));
    // Not even then are they shown.
    const std::string key = read_text(cloud.workspace() / "newest.key");
    CHECK_FALSE(says(run.output + run.errors, key.substr(key.find('\n') + 1, 40)));
}

TEST_CASE("Alibaba: the international site has its certificates in another region") {
    if (!cdn_is_installed()) return;
    Cloud cloud(alibaba(), {{"region", "ap-southeast-1"}});
    CHECK(cloud.run("former").text("cloud", "status") == "failed");
    const Run run = cloud.run("former", "region = \"ap-southeast-1\"\n");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "changed");
}

TEST_CASE("temporary credentials are sent with their token") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor, {{"session_token", "passing"}});
        cloud.workspace().environment()["CLOUD_TOKEN"] = "passing";
        const std::string parameter = vendor.plugin == "tencent-cdn" ? "token" : "security_token";
        const Run run = cloud.run("former", parameter + " = { env = \"CLOUD_TOKEN\" }\n");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.run("former").text("cloud", "status") == "failed");
    }
}
