#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace certcast::testing;

TEST_CASE("a certificate is put there, left alone when it is right, and renewed") {
    for (const CloudVendor& vendor : cloud_vendors()) {
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
    for (const CloudVendor& vendor : cloud_vendors()) {
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
    for (const CloudVendor& vendor : cloud_vendors()) {
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

TEST_CASE("a plan writes nothing") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        const auto pipeline = cloud.workspace().folder().write("p.toml", cloud.pipeline("former"));
        const Said plan = cloud.workspace().say({"plan", pipeline.string()});
        CAPTURE(plan.output);
        CHECK(plan.status == 10);  // there is something to do
        CHECK(says(plan.output, "cloud"));
        CHECK(cloud.count(vendor.read) > 0);
        for (const std::string& action : {vendor.upload, vendor.bind, vendor.renew}) {
            if (!action.empty()) CHECK(cloud.count(action) == 0);
        }
    }
}

TEST_CASE("each domain of a deployment has an outcome of its own") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        boost::json::object state = vendor.settings.at("state").as_object();
        boost::json::object& domains = state.at("domains").as_object();
        domains["other.shop.example"] = domains.at("shop.example");
        Cloud cloud(vendor, {{"state", state}});
        cloud.issue("several", KeyKind::p256, {"DNS:shop.example", "DNS:*.shop.example"});
        const Run run = cloud.workspace().run(
            with(cloud.pipeline("several", {},
                                "targets = [\"shop.example\", \"other.shop.example\", "
                                "\"missing.shop.example\"]\n"),
                 "domain = \"shop.example\"", "domain = \"${target.name}\""));
        CAPTURE(run.output);
        CHECK(run.text("cloud/shop.example", "status") == "changed");
        CHECK(run.text("cloud/other.shop.example", "status") == "changed");
        CHECK(run.text("cloud/missing.shop.example", "status") == "failed");
        CHECK(says(run.message("cloud/missing.shop.example"), vendor.missing));
        CHECK(cloud.served() == cloud.sha256("several"));
        CHECK(cloud.certificates() == 1);
    }
}
