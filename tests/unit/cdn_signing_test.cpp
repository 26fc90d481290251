#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "plugins/cdn/signing/acs3.hpp"
#include "plugins/cdn/signing/digest.hpp"
#include "plugins/cdn/signing/sdk_hmac.hpp"
#include "plugins/cdn/signing/sigv4.hpp"
#include "plugins/cdn/signing/tc3.hpp"
#include "tests/cdn/installed.hpp"
#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

using namespace cdn;
using certcast::Sensitive;
using certcast::http::Request;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::chrono::system_clock::time_point at(const char* iso_time) {
    tm parts{};
    REQUIRE(strptime(iso_time, "%Y-%m-%dT%H:%M:%SZ", &parts) != nullptr);
    return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string header_of(const Request& request, std::string_view name) {
    for (const certcast::http::Header& header : request.headers) {
        if (header.name == name) return std::string(header.value.text());
    }
    return {};
}

std::string signature_of(const Request& request) {
    const std::string text = header_of(request, "Authorization");
    const std::size_t begin = text.find("Signature=");
    return begin == std::string::npos ? text : text.substr(begin + 10);
}

/// "NAME:VALUE", where a line that begins with a space belongs to the one before.
Request request_in(std::string_view text) {
    const auto next_line = [&text] {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        return line;
    };
    const std::string first = next_line();
    const std::size_t space = first.find(' ');
    Request request{.method = first.substr(0, space)};
    const std::string target = first.substr(space + 1, first.rfind(' ') - space - 1);
    std::vector<std::pair<std::string, std::string>> headers;
    for (std::string line = next_line(); !line.empty(); line = next_line()) {
        if (line.front() == ' ') {
            headers.back().second += "\n" + line;
            continue;
        }
        const std::size_t colon = line.find(':');
        headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    }
    for (const auto& [name, value] : headers) {
        if (name == "Host") request.url = "https://" + value + target;
        request.headers.emplace_back(name, value);
    }
    request.body = Sensitive(text);
    return request;
}

}  // namespace

TEST_CASE("every case of AWS's own signing suite is signed as it should be") {
    const fs::path suite = certcast::testing::installed_cdn() / "signing-suite/v4";
    if (!certcast::testing::cdn_is_installed()) return;
    std::size_t cases = 0;
    for (const fs::directory_entry& folder : fs::directory_iterator(suite)) {
        const auto text = [&](const char* name) {
            return certcast::testing::read_text(folder.path() / name);
        };
        const std::string name = folder.path().filename();
        CAPTURE(name);
        if (!fs::exists(folder.path() / "header-signature.txt")) continue;  // two say nothing
        const json::value context = json::parse(text("context.json"));
        const json::object& given = context.at("credentials").as_object();
        const json::object& options = context.as_object();
        Credentials credentials{std::string(given.at("access_key_id").as_string()),
                                Sensitive(given.at("secret_access_key").as_string()),
                                {}};
        const bool has_token = given.contains("token");
        const bool omits_token = has_token && options.contains("omit_session_token") &&
                                 options.at("omit_session_token").as_bool();
        if (has_token && !omits_token) {
            credentials.token = Sensitive(given.at("token").as_string());
        }
        const SigV4 signer{.region = std::string(context.at("region").as_string()),
                           .service = std::string(context.at("service").as_string()),
                           .normalizes_path = context.at("normalize").as_bool(),
                           .sends_body_hash = context.at("sign_body").as_bool()};
        Request request = request_in(text("request.txt"));
        if (!signer.sends_body_hash) request.body = {};
        signer.sign(request, credentials, at(options.at("timestamp").as_string().c_str()));
        CHECK(signature_of(request) == text("header-signature.txt"));
        ++cases;
    }
    CHECK(cases == 38);
}

TEST_CASE("Tencent Cloud's documented requests have its documented signatures") {
    Request request{.method = "POST",
                    .url = "https://cvm.tencentcloudapi.com/",
                    .headers = {{"Content-Type", "application/json; charset=utf-8"}},
                    .body = Sensitive("{\"Limit\": 1, \"Filters\": [{\"Values\": "
                                      "[\"\\u672a\\u547d\\u540d\"], \"Name\": "
                                      "\"instance-name\"}]}")};
    Credentials credentials{
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", Sensitive("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"), {}};
    const auto time = std::chrono::system_clock::from_time_t(1551113065);
    SUBCASE("of the type and the host") {
        sign_tc3(request, credentials, "cvm", time);
        CHECK(header_of(request, "Authorization") ==
              "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/"
              "tc3_request, SignedHeaders=content-type;host, "
              "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168");
        CHECK(header_of(request, "X-TC-Timestamp") == "1551113065");
    }
    SUBCASE("of the action, too; with the secret as it is printed there") {
        credentials.secret = Sensitive(std::string(32, '*'));
        request.headers.emplace_back("X-TC-Action", "DescribeInstances");
        sign_tc3(request, credentials, "cvm", time);
        CHECK(signature_of(request) ==
              "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f");
    }
}

TEST_CASE("Alibaba Cloud's documented request has its documented signature") {
    Request request{
        .method = "POST",
        .url =
            "https://ecs.cn-shanghai.aliyuncs.com/"
            "?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
        .headers = {{"x-acs-action", "RunInstances"}, {"x-acs-version", "2014-05-26"}}};
    sign_acs3(request, {"YourAccessKeyId", Sensitive("YourAccessKeySecret"), {}},
              "3156853299f313e23d1673dc12e1703d", at("2023-10-26T10:22:32Z"));
    CHECK(header_of(request, "Authorization") ==
          "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
          "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
          "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0");
}

TEST_CASE("Huawei Cloud's documented request has its documented signature") {
    Request request{.url =
                        "https://service.region.example.com/v1/"
                        "77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
                        "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
                    .headers = {{"Content-Type", "application/json"}}};
    sign_sdk_hmac(
        request,
        {"QTWAOYTTINDUT2QVKYUC", Sensitive("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"), {}},
        at("2019-11-15T03:36:55Z"));
    CHECK(header_of(request, "Authorization") ==
          "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;"
          "x-sdk-date, Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe");
}

TEST_CASE("a token of temporary credentials is sent, and is signed where the vendor says so") {
    const Credentials credentials{"id", Sensitive("secret"), Sensitive("passing")};
    const auto now = at("2026-01-02T03:04:05Z");
    const auto signed_by = [&](auto sign) {
        Request request{.method = "POST", .url = "https://api.test:8443/"};
        sign(request);
        return request;
    };
    const Request aws = signed_by([&](Request& request) {
        SigV4{"us-east-1", "acm"}.sign(request, credentials, now);
    });
    CHECK(header_of(aws, "X-Amz-Security-Token") == "passing");
    CHECK(header_of(aws, "Authorization").find(";x-amz-security-token,") != std::string::npos);
    const Request tencent =
        signed_by([&](Request& request) { sign_tc3(request, credentials, "ssl", now); });
    CHECK(header_of(tencent, "X-TC-Token") == "passing");
    const Request alibaba =
        signed_by([&](Request& request) { sign_acs3(request, credentials, "once", now); });
    CHECK(header_of(alibaba, "x-acs-security-token") == "passing");
    CHECK(header_of(alibaba, "Authorization").find(";x-acs-security-token;") != std::string::npos);
    const Request huawei =
        signed_by([&](Request& request) { sign_sdk_hmac(request, credentials, now); });
    CHECK(header_of(huawei, "X-Security-Token") == "passing");
    CHECK(header_of(huawei, "Authorization").find(";x-security-token,") != std::string::npos);
}

TEST_CASE("a URL is taken apart as a client sends it") {
    CHECK(parts_of("https://api.test").path == "/");
    CHECK(parts_of("https://api.test").host == "api.test");
    CHECK(parts_of("https://api.test:443/a?b=c").host == "api.test");
    CHECK(parts_of("https://api.test:8443/a?b=c").host == "api.test:8443");
    CHECK(parts_of("https://api.test:8443/a?b=c").query == "b=c");
    CHECK(parts_of("https://api.test?b=c").path == "/");
    CHECK(parts_of("http://api.test:80/").host == "api.test");
}

TEST_CASE("a query is encoded anew, once, and sorted") {
    CHECK(canonical_query("b=2&a=%7e&a=%2F&c") == "a=%2F&a=~&b=2&c=");
    CHECK(canonical_query("a=b%20c&a b=") == "a=b%20c&a%20b=");
    CHECK(canonical_query("a=100%") == "a=100%25");
    CHECK(canonical_query("").empty());
}
