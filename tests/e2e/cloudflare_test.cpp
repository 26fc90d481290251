#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace certcast::testing;

namespace json = boost::json;

namespace {

const json::object& certificates_of(const json::object& state) {
    return state.at("zones").as_object().begin()->value().at("certificates").as_object();
}

std::string id_of(const json::object& state) {
    return certificates_of(state).begin()->key_c_str();
}

/// A double whose zone has a certificate that somebody has uploaded by hand.
json::object with_foreign_certificate(const Cloud& source, std::int64_t quota) {
    const std::string pem = read_text(source.workspace() / "former.pem");
    json::object state = cloudflare().settings.at("state").as_object();
    json::object& zone = state.at("zones").as_object().begin()->value().as_object();
    zone["quota"] = quota;
    zone["certificates"] = {{"11111111111111111111111111111111",
                             {{"certificate", pem},
                              {"sha256", source.sha256("former")},
                              {"hosts", {"shop.example"}},
                              {"issuer", "somebody"},
                              {"status", "active"},
                              {"bundle_method", "ubiquitous"},
                              {"type", "sni_custom"},
                              {"expires_on", "2030-01-01T00:00:00Z"},
                              {"uploaded_on", "2020-01-01T00:00:00Z"},
                              {"modified_on", "2020-01-01T00:00:00Z"},
                              {"priority", 0}}}};
    return state;
}

}  // namespace

TEST_CASE("a certificate's id changes with each renewal, and is known all the same") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudflare());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    std::string id = id_of(cloud.vendor_double().state());
    for (const char* certificate : {"newer", "former", "newer"}) {
        const Run run = cloud.run(certificate);
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256(certificate));
        const std::string next = id_of(cloud.vendor_double().state());
        CHECK(next != id);
        id = next;
    }
    CHECK(cloud.run("newer").text("cloud", "status") == "unchanged");
    CHECK(cloud.count("CreateCustomCertificate") == 1);
}

TEST_CASE("one whose id does not change is renewed as well") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudflare(), {{"keep_id", true}});
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
    CHECK(cloud.run("newer").text("cloud", "status") == "unchanged");
    // By its id alone nobody sees whether it was replaced.
    const Run in_vain = cloud.run_in_vain("former");
    CAPTURE(in_vain.output);
    CHECK(cloud.served() == cloud.sha256("newer"));
}

TEST_CASE("where its state is lost, a certificate is found by its hosts") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudflare());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    std::filesystem::remove_all(cloud.workspace() / "state");
    CHECK(cloud.run("former").text("cloud", "status") == "unchanged");
    // It is not known whose it is, then.
    const Run run = cloud.run("newer");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "failed");
    CHECK(says(run.message("cloud"), "takeover = true"));
    CHECK(cloud.run("newer", "takeover = true\n").text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
}

TEST_CASE("a certificate that somebody else has replaced is replaced in turn") {
    if (!cdn_is_installed()) return;
    for (const int status : {404, 400}) {
        CAPTURE(status);
        Cloud cloud(cloudflare(), {{"gone_status", status}});
        REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
        // As by hand: its id is gone by the time that it is replaced.
        cloud.vendor_double().set_faults(
            R"([{"on": "EditCustomCertificate", "do": "commit_then_reset"}])");
        const Run run = cloud.run("newer");
        CAPTURE(run.output);
        CHECK(run.text("cloud", "status") == "changed");
        CHECK(cloud.served() == cloud.sha256("newer"));
        CHECK(cloud.certificates() == 1);
    }
}

TEST_CASE("what certcast has not put there is replaced where the pipeline says so") {
    if (!cdn_is_installed()) return;
    const Cloud source(cloudflare());
    Cloud cloud(cloudflare(), {{"state", with_foreign_certificate(source, 1)}});
    const Run refused = cloud.run("newer");
    CAPTURE(refused.output);
    CHECK(refused.text("cloud", "status") == "failed");
    CHECK(says(refused.message("cloud"), "takeover = true"));
    CHECK(cloud.served() == source.sha256("former"));

    const Run in_vain = cloud.run_in_vain("newer", "takeover = true\n");
    CAPTURE(in_vain.output);
    CHECK(in_vain.text("cloud", "rollback") == "failed");
    CHECK(says(in_vain.output, "cannot be brought back"));
}

TEST_CASE("beside what others have put there is room, where the plan has some") {
    if (!cdn_is_installed()) return;
    const Cloud source(cloudflare());
    Cloud cloud(cloudflare(), {{"state", with_foreign_certificate(source, 2)}});
    const Run run = cloud.run("newer");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "changed");
    CHECK(cloud.certificates() == 2);
    CHECK(cloud.run("newer").text("cloud", "status") == "unchanged");
}

TEST_CASE("how a chain is completed is said with each renewal") {
    if (!cdn_is_installed()) return;
    // By an authority that Cloudflare does not trust.
    Cloud cloud(cloudflare(), {{"public", false}});
    const Run refused = cloud.run("former");
    CHECK(refused.text("cloud", "status") == "failed");
    CHECK(says(refused.message("cloud"), "2100"));
    const std::string force = "bundle_method = \"force\"\n";
    REQUIRE(cloud.run("former", force).text("cloud", "status") == "changed");
    CHECK(cloud.run("newer", force).text("cloud", "status") == "changed");
}
