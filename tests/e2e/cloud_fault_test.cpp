#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

constexpr const char* answer_429 =
    R"("answer", "status": 429, "headers": {"Retry-After": "1"}, "body": "{}")";

std::string error_of(const std::string& code) {
    return R"("error", "code": ")" + code + "\"";
}

/// Of a deployment.
std::string category(const Run& run) {
    return std::string(run["cloud"].at("error").at("category").as_string());
}

}  // namespace

TEST_CASE("throttling is waited for once something is changed, told by a code or by a status") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        cloud.vendor_double().set_faults(fault(vendor.upload, error_of(vendor.throttled)));
        const Run first = cloud.run("former");
        CAPTURE(first.output);
        CHECK(first.text("cloud", "status") == "changed");
        cloud.vendor_double().set_faults(fault(vendor.renew, answer_429));
        const Run second = cloud.run("newer");
        CAPTURE(second.output);
        CHECK(second.text("cloud", "status") == "changed");
        CHECK(second.took >= 1s);
        CHECK(cloud.served() == cloud.sha256("newer"));
    }
}

TEST_CASE("throttling ends an attempt that has changed nothing, and the account waits") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        cloud.vendor_double().set_faults(fault(vendor.read, answer_429));
        const Run run = cloud.run("former");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(run["cloud"].at("error").at("retryable").as_bool());
        CHECK(run.text("cloud", "rollback") == "none");
        const Run again = cloud.workspace().run(
            with(cloud.pipeline("former"), "attempts = 1", "attempts = 2, backoff = \"10ms\""));
        CAPTURE(again.output);
        CHECK(again.text("cloud", "status") == "changed");
    }
}

TEST_CASE("a certificate is uploaded once, whatever becomes of the answer") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        for (const std::string& what :
             {std::string("\"commit_then_hang\""), std::string("\"commit_then_reset\""),
              std::string("\"truncate\""), std::string("\"reset\""),
              std::string(R"("answer", "status": 500, "body": "oh")"),
              std::string(R"("answer", "status": 503, "body": "")")}) {
            CAPTURE(vendor.plugin);
            CAPTURE(what);
            Cloud cloud(vendor);
            cloud.vendor_double().set_faults(fault(vendor.upload, what));
            const Run run =
                cloud.workspace().run(with(cloud.pipeline("former"), "request_timeout = \"2s\"",
                                           "request_timeout = \"500ms\""));
            CAPTURE(run.output);
            CHECK(run.text("cloud", "status") == "changed");
            CHECK(cloud.served() == cloud.sha256("former"));
            CHECK(cloud.certificates() == 1);
            cloud.expect_key_nowhere("former", run);
        }
    }
}

TEST_CASE("a renewal comes to its end, whatever becomes of the answer") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        for (const std::string& what :
             {std::string("\"commit_then_hang\""), std::string("\"commit_then_reset\""),
              std::string("\"truncate\""), std::string("\"reset\""),
              std::string(R"("answer", "status": 502, "body": "<html>")")}) {
            CAPTURE(vendor.plugin);
            CAPTURE(what);
            Cloud cloud(vendor);
            REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
            cloud.vendor_double().set_faults(fault(vendor.renew, what));
            const Run run =
                cloud.workspace().run(with(cloud.pipeline("newer"), "request_timeout = \"2s\"",
                                           "request_timeout = \"500ms\""));
            CAPTURE(run.output);
            CHECK(run.text("cloud", "status") == "changed");
            CHECK(cloud.served() == cloud.sha256("newer"));
            CHECK(cloud.certificates() == 1);
            cloud.expect_key_nowhere("newer", run);
        }
    }
}

TEST_CASE("a run that is killed in the middle of a change is made good by the next one") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
        cloud.vendor_double().set_faults(fault(vendor.renew, "\"commit_then_hang\""));
        const auto killed = cloud.workspace().start_run(cloud.pipeline("newer"));
        const std::size_t before = cloud.count(vendor.renew);
        wait_until("the change is made", [&] { return cloud.count(vendor.renew) > before; });
        killed->signal(SIGKILL);
        killed->wait();
        const Run run = cloud.run("newer");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("newer"));
        CHECK(cloud.certificates() == 1);
    }
}

TEST_CASE("a change that never becomes live ends at the deadline") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor, {{"polls", -1}});
        const Run run = cloud.workspace().run(cloud.pipeline(
            "former", {}, "timeouts = { deploy = \"1500ms\", rollback = \"500ms\" }\n"));
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") != "changed");
        CHECK(category(run) == "timeout");
        CHECK(says(run.message("cloud"), "was not done in time"));
        CHECK(run.took < 15s);
    }
}

TEST_CASE("a change that never becomes live is undone all the same") {
    for (const CloudVendor& vendor : {alibaba(), cloudflare()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor, {{"polls", -1}});
        cloud.workspace().run(
            cloud.pipeline("former", {}, "timeouts = { deploy = \"1s\", rollback = \"1s\" }\n"));
        CHECK(cloud.served().empty());
    }
}

TEST_CASE("wrong credentials are told from everything else, and nothing is tried with them") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        cloud.workspace().environment()["CLOUD_SECRET"] = "another";
        const Run run = cloud.run("former");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(category(run) == "auth");
        CHECK(cloud.certificates() == 0);
    }
}

TEST_CASE("credentials that are refused are asked for once more") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        if (vendor.plugin == "cloudflare") continue;  // a token that is refused stays so
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        // A program that gives the right one at the second time.
        const auto program = cloud.workspace().folder().write(
            "secret.sh",
            "#!/bin/sh\nset -e\ncd \"${0%/*}\"\n"
            "if [ -e asked ]; then echo the-secret; else touch asked; echo old; fi\n");
        std::filesystem::permissions(program, std::filesystem::perms(0700));
        const Run run =
            cloud.workspace().run(with(cloud.pipeline("former"), "{ env = \"CLOUD_SECRET\" }",
                                       "{ command = [\"" + program.string() + "\"] }"));
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
    }
}

TEST_CASE("a clock that is off is said to be") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        if (vendor.plugin == "cloudflare") continue;  // it does not ask for the time
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor, {{"clock_offset", 1000}});
        const Run run = cloud.run("former");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(says(run.message("cloud"), "is the clock of this machine right?"));
    }
}

TEST_CASE("an endpoint without TLS is a mistake in the pipeline") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        const Run run =
            cloud.workspace().run(with(cloud.pipeline("former"), "\"https://", "\"http://"));
        CHECK(run.status == 2);
        CHECK(says(run.output + run.errors, "endpoint: keys go by https alone"));
    }
}

TEST_CASE("a proxy that is given leads to the vendor, and no other way does") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        cloud.workspace().environment()["PROXY"] = "http://user:secret-of-it@127.0.0.1:1";
        const Run run = cloud.run("former", "proxy = { env = \"PROXY\" }\n");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(category(run) == "network");
        CHECK(cloud.vendor_double().requests().empty());
        CHECK_FALSE(says(run.output + run.errors, "secret-of-it"));
    }
}

TEST_CASE("a target that is not there is a mistake in the pipeline") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        CloudVendor elsewhere = vendor;
        elsewhere.target_value = vendor.plugin == "aws-cloudfront" ? "E2OTHER"
                                 : vendor.plugin == "cloudflare"
                                     ? "ffffffffffffffffffffffffffffffff"
                                     : "other.example";
        Cloud cloud(elsewhere);
        cloud.issue("former", KeyKind::p256, {"DNS:shop.example", "DNS:other.example"});
        const Run run = cloud.run("former");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(says(run.message("cloud"), vendor.missing));
        CHECK(cloud.certificates() == 0);
    }
}

TEST_CASE("an error that nobody knows is told with its code, and what was done is undone") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
        cloud.vendor_double().set_faults(fault(vendor.renew, error_of("4711")));
        const Run run = cloud.run("newer");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(says(run.message("cloud"), "4711"));
        CHECK(category(run) == "remote");
        CHECK(run.text("cloud", "rollback") == "done");
        CHECK(cloud.served() == cloud.sha256("former"));
        CHECK(cloud.certificates() == 1);
    }
}
