#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

std::vector<CloudVendor> vendors() {
    if (!cdn_is_installed()) return {};
    return {alibaba(), tencent(), huawei(), cloudflare(), cloudfront()};
}

std::string fault(const std::string& on, const std::string& what) {
    return R"([{"on": ")" + on + R"(", )" + what + "}]";
}

}  // namespace

TEST_CASE("a certificate is put there, left alone when it is right, and renewed") {
    for (const CloudVendor& vendor : vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        const Run first = cloud.run("former");
        CAPTURE(first.output);
        REQUIRE(first.text("cloud", "status") == "changed");
        CHECK(first.text("cloud", "proof") == "verify");
        CHECK(cloud.served() == cloud.sha256("former"));
        cloud.expect_key_nowhere("former", first);

        const std::size_t uploads = cloud.count(vendor.upload);
        const std::size_t binds = cloud.count(vendor.bind);
        const Run second = cloud.run("former");
        CAPTURE(second.output);
        CHECK(second.text("cloud", "status") == "unchanged");
        CHECK(cloud.count(vendor.upload) == uploads);
        CHECK(cloud.count(vendor.bind) == binds);

        const Run third = cloud.run("newer");
        CAPTURE(third.output);
        CHECK(third.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("newer"));
        // The one that was replaced is gone.
        CHECK(cloud.certificates() == 1);
        cloud.expect_key_nowhere("newer", third);
    }
}

TEST_CASE("what is not proven is undone: nothing is there again") {
    for (const CloudVendor& vendor : vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        const Run run = cloud.run_in_vain("former");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(run.text("cloud", "rollback") == "done");
        CHECK(cloud.served().empty());
        CHECK(cloud.certificates() == 0);
    }
}

TEST_CASE("what is not proven is undone: the former certificate is there again") {
    for (const CloudVendor& vendor : vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
        const Run run = cloud.run_in_vain("newer");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(cloud.served() == cloud.sha256("former"));
        CHECK(cloud.certificates() == 1);
        cloud.expect_key_nowhere("newer", run);
        cloud.expect_key_nowhere("former", run);
        // What is remembered is right, too: the next time it is renewed all the same.
        const Run again = cloud.run("newer");
        CAPTURE(again.output);
        CHECK(again.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("newer"));
        CHECK(cloud.certificates() == 1);
    }
}

TEST_CASE("throttling is waited for, told by a code or by a status") {
    for (const CloudVendor& vendor : vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        for (const std::string& how :
             {"\"do\": \"error\", \"code\": \"" + vendor.throttled + "\"",
              std::string("\"do\": \"answer\", \"status\": 429, \"headers\": {\"Retry-After\": "
                          "\"1\"}, \"body\": \"{}\"")}) {
            CAPTURE(how);
            const std::string certificate = cloud.served().empty() ? "former" : "newer";
            const std::string action = cloud.served().empty() ? vendor.upload : vendor.bind;
            cloud.vendor_double().set_faults(fault(action, how));
            const Run run = cloud.run(certificate);
            CAPTURE(run.output);
            CHECK(run.text("cloud", "status") == "changed");
            CHECK(cloud.served() == cloud.sha256(certificate));
        }
    }
}
