#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"
#include "tests/unit/accepting_server.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
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

TEST_CASE("a chain that was forgotten comes to be served") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei(), cloudflare()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        const std::string whole = read_text(cloud.workspace() / "newer.pem");
        cloud.workspace().folder().write("newer.pem",
                                         whole.substr(0, whole.find("-----BEGIN", 10)));
        REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
        cloud.workspace().folder().write("newer.pem", whole);
        const Run run = cloud.run("newer");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("newer"));
        const std::string of_chain = whole.substr(whole.rfind("-----BEGIN") + 30, 40);
        CHECK(says(boost::json::serialize(cloud.vendor_double().state()), of_chain));
        CHECK(cloud.certificates() == 1);
        CHECK(cloud.run("newer").text("cloud", "status") == "unchanged");
    }
}

TEST_CASE("a certificate for another domain is refused before anything is uploaded") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        cloud.issue("wrong", KeyKind::p256, {"DNS:wiki.example", "DNS:*.shop.example"});
        const Run run = cloud.run("wrong");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "failed");
        CHECK(says(run.message("cloud"), "the certificate is for wiki.example, *.shop.example"));
        CHECK(cloud.count(vendor.upload) == 0);
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

namespace {

/// Two domains of one account that have the certificate `first`, in a pipeline of their own each.
class TwoDomains {
public:
    explicit TwoDomains(const CloudVendor& vendor) : cloud(vendor, {{"state", state_of(vendor)}}) {
        for (const char* name : {"first", "second"}) {
            cloud.issue(name, KeyKind::p256, {"DNS:shop.example", "DNS:*.shop.example"});
        }
        REQUIRE(cloud.run("first").text("cloud", "status") == "changed");
        REQUIRE(cloud.workspace().run(other("first")).text("cloud", "status") == "changed");
        REQUIRE(cloud.certificates() == 1);
    }

    std::string other(const std::string& certificate) const {
        return with(cloud.pipeline(certificate), "domain = \"shop.example\"",
                    "domain = \"other.shop.example\"");
    }
    std::string served_by_other() const {
        boost::json::object now = cloud.vendor_double().state();
        boost::json::object& domains = now.at("domains").as_object();
        domains["shop.example"] = domains.at("other.shop.example");
        return cloud.vendor().served(now);
    }

    Cloud cloud;

private:
    static boost::json::object state_of(const CloudVendor& vendor) {
        boost::json::object state = vendor.settings.at("state").as_object();
        boost::json::object& domains = state.at("domains").as_object();
        domains["other.shop.example"] = domains.at("shop.example");
        return state;
    }
};

}  // namespace

TEST_CASE("a certificate that another domain still has is not removed") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        const TwoDomains domains(vendor);
        CHECK(domains.cloud.run("second").text("cloud", "status") == "changed");
        CHECK(domains.cloud.certificates() == 2);
        CHECK(domains.served_by_other() == domains.cloud.sha256("first"));
        // Whether the vendor would have refused is not tried.
        if (vendor.plugin != "tencent-cdn") {
            CHECK(domains.cloud.count("DeleteUserCertificate") == 0);
            CHECK(domains.cloud.count("DeleteCertificate") == 0);
        }
        const Run last = domains.cloud.workspace().run(domains.other("second"));
        CHECK(last.text("cloud", "status") == "changed");
        CHECK(domains.cloud.certificates() == 1);
    }
}

TEST_CASE("what one domain has had removed, another brings back where it is not proven") {
    for (const CloudVendor& vendor : {alibaba(), tencent(), huawei()}) {
        if (!cdn_is_installed()) return;
        CAPTURE(vendor.plugin);
        const TwoDomains domains(vendor);
        // The other is bound, and being probed, while the one is proven and cleans up.
        std::promise<void> is_probed;
        std::promise<void> may_fail;
        bool is_first = true;
        const AcceptingServer probed([&](int) {
            // It may be probed before the change, too.
            const bool is_bound = domains.served_by_other() == domains.cloud.sha256("second");
            if (!is_bound || !std::exchange(is_first, false)) return;
            is_probed.set_value();
            may_fail.get_future().wait();
        });
        const Workspace& workspace = domains.cloud.workspace();
        const auto other = workspace.start_run(
            with(domains.other("second"), "probe = false",
                 "probe = [{ address = \"" + probed.address() + "\", timeout = \"3s\" }]"),
            {}, "other");
        is_probed.get_future().wait();
        const Run one = domains.cloud.run("second");
        may_fail.set_value();
        CAPTURE(one.output);
        CHECK(one.text("cloud", "status") == "changed");
        CHECK(domains.cloud.certificates() == 1);
        const Run undone = workspace.collect(*other, "other");
        CAPTURE(undone.output);
        CHECK(undone.text("cloud", "status") == "failed");
        CHECK(domains.cloud.served() == domains.cloud.sha256("second"));
        CHECK(domains.served_by_other() == domains.cloud.sha256("first"));
    }
}

TEST_CASE("what is right already is not done again, even where it is forced") {
    for (const CloudVendor& vendor : cloud_vendors()) {
        CAPTURE(vendor.plugin);
        Cloud cloud(vendor);
        REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
        const std::size_t requests = cloud.count(vendor.renew) + cloud.count(vendor.upload);
        const Run forced = cloud.workspace().run(cloud.pipeline("former"), {"--force"});
        CAPTURE(forced.output);
        CHECK(forced.status == 0);
        CHECK(cloud.count(vendor.renew) + cloud.count(vendor.upload) == requests);
    }
}

TEST_CASE(
    "the samples' pipeline deploys to five clouds beside an nginx, and one that hangs is alone") {
    if (!cdn_is_installed()) return;
    Workspace workspace;
    const Issued intermediate = make_certificate(
        {.subject = "Test Intermediate", .issuer = &workspace.authority(), .is_ca = true});
    const Issued former = workspace.issue("edge");
    install(workspace, "edge", former);
    const NginxServer nginx(workspace, "edge", {"shop.example"});
    const auto issue = [&] {
        const Issued issued =
            make_certificate({.names = {"DNS:shop.example"}, .issuer = &intermediate});
        workspace.folder().write("shop.pem",
                                 pem(issued.certificate) + pem(intermediate.certificate));
        workspace.folder().write("shop.key", pem(issued.key));
        return sha256_of(issued);
    };
    const std::string first_sha256 = issue();

    std::string pipeline =
        read_text(std::filesystem::path(CERTCAST_SAMPLES) / "clouds" / "pipeline.toml");
    const auto stands_for = [&](const std::string& text, const std::string& here) {
        REQUIRE(says(pipeline, text));
        pipeline = with(pipeline, text, here);
    };
    stands_for("/etc/letsencrypt/live/shop.example/fullchain.pem",
               (workspace / "shop.pem").string());
    stands_for("/etc/letsencrypt/live/shop.example/privkey.pem", (workspace / "shop.key").string());
    stands_for("/etc/nginx/tls/shop.crt", (nginx / "shop.example.crt").string());
    stands_for("/etc/nginx/tls/shop.key", (nginx / "shop.example.key").string());
    stands_for("check = [\"nginx\", \"-t\"]",
               "config = \"" + nginx.config().string() + "\"\ncheck = " + nginx.check());
    stands_for("[\"systemctl\", \"reload\", \"nginx\"]", nginx.reload());
    stands_for("127.0.0.1:443", nginx.address());
    struct Place {
        std::string deployment;
        std::vector<std::string> endpoints;
        std::string id;
        std::string secret;
    };
    const std::vector<std::pair<CloudVendor, Place>> places{
        {alibaba(),
         {"alibaba/shop.example",
          {"https://cas.aliyuncs.com", "https://cdn.aliyuncs.com"},
          "LTAIEXAMPLE",
          "ALIBABA_CLOUD_ACCESS_KEY_SECRET"}},
        {tencent(),
         {"tencent/shop.example",
          {"https://ssl.tencentcloudapi.com", "https://cdn.tencentcloudapi.com"},
          "AKIDEXAMPLE",
          "TENCENTCLOUD_SECRET_KEY"}},
        {huawei(),
         {"huawei/shop.example",
          {"https://scm.cn-north-4.myhuaweicloud.com", "https://cdn.myhuaweicloud.com"},
          "HUAWEIEXAMPLE",
          "HUAWEICLOUD_SDK_SK"}},
        {cloudflare(), {"cloudflare", {"https://api.cloudflare.com"}, "", "CLOUDFLARE_API_TOKEN"}},
        {cloudfront(),
         {"cloudfront",
          {"https://acm.us-east-1.amazonaws.com", "https://cloudfront.amazonaws.com"},
          "",
          "AWS_SECRET_ACCESS_KEY"}}};
    std::vector<std::unique_ptr<CloudDouble>> doubles;
    for (const auto& [vendor, place] : places) {
        boost::json::object settings = vendor.settings;
        if (!place.id.empty()) settings["access_key_id"] = place.id;
        doubles.push_back(std::make_unique<CloudDouble>(workspace, vendor.script, settings));
        for (const std::string& endpoint : place.endpoints) {
            stands_for(endpoint, doubles.back()->url());
        }
        workspace.environment()[place.secret] = "the-secret";
    }
    workspace.environment()["AWS_ACCESS_KEY_ID"] = "AKIADOUBLE";
    stands_for("E2QWRUHAPOMQZL", "E2DOUBLE");
    for (const char* entry : {"cloudfront", "alibaba", "tencent", "huawei", "cloudflare"}) {
        stands_for("[deploy." + std::string(entry) + ".config]\n",
                   "[deploy." + std::string(entry) + ".config]\nca_file = \"" +
                       (workspace / "authority.pem").string() + "\"\npoll = \"10ms\"\n");
    }

    const Run first = workspace.run(pipeline);
    CAPTURE(first.output);
    CAPTURE(first.errors);
    CHECK(first.status == 0);
    CHECK(first.text("edge", "status") == "changed");
    CHECK(nginx.comes_to_serve(first_sha256));
    for (std::size_t i = 0; i < places.size(); ++i) {
        CAPTURE(places[i].second.deployment);
        CHECK(first.text(places[i].second.deployment, "status") == "changed");
        CHECK(places[i].first.served(doubles[i]->state()) == first_sha256);
    }

    const std::string second_sha256 = issue();
    doubles.front()->set_faults(R"([{"on": "*", "do": "hang", "times": -1}])");
    const Run second = workspace.run(
        with(pipeline, "[deploy.alibaba]\n",
             "[deploy.alibaba]\ntimeouts = { inspect = \"1s\" }\nretry = { attempts = 1 }\n"));
    CAPTURE(second.output);
    CHECK(second.status == 1);
    CHECK(second.text("alibaba/shop.example", "status") != "changed");
    CHECK(nginx.comes_to_serve(second_sha256));
    for (std::size_t i = 1; i < places.size(); ++i) {
        CAPTURE(places[i].second.deployment);
        CHECK(second.text(places[i].second.deployment, "status") == "changed");
        CHECK(places[i].first.served(doubles[i]->state()) == second_sha256);
    }
}
