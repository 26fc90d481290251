#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/cloud_vendor.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

std::string config_of(const json::object& state) {
    return state.at("distributions").at("E2DOUBLE").at("config").as_string().c_str();
}

std::string arn_of(const json::object& state) {
    return state.at("certificates").as_object().begin()->key_c_str();
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const std::size_t begin = text.find(from);
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find(to, begin) + to.size() - begin);
}

}  // namespace

TEST_CASE(
    "of a distribution's settings the certificate alone changes, and what nobody knows stays") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    const std::string before = config_of(cloud.vendor_double().state());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    const std::string after = config_of(cloud.vendor_double().state());
    const std::string begin = "<ViewerCertificate>";
    const std::string end = "</ViewerCertificate>";
    CHECK(before.substr(0, before.find(begin)) == after.substr(0, after.find(begin)));
    CHECK(before.substr(before.find(end)) == after.substr(after.find(end)));
    CHECK(says(after, "<FutureSetting mode=\"a &amp; b\">  kept\n as it is </FutureSetting>"));
    // What CloudFront's own certificate had, "vip" above all, is for no other.
    CHECK(between(after, begin, end) ==
          begin + "<ACMCertificateArn>" + arn_of(cloud.vendor_double().state()) +
              "</ACMCertificateArn><SSLSupportMethod>sni-only</SSLSupportMethod>"
              "<MinimumProtocolVersion>TLSv1.2_2021</MinimumProtocolVersion>" +
              end);
}

TEST_CASE("what was chosen for a distribution stays when it gets a certificate of certcast") {
    if (!cdn_is_installed()) return;
    json::object state = cloudfront().settings.at("state").as_object();
    json::value& distribution = state.at("distributions").at("E2DOUBLE");
    const std::string config = distribution.at("config").as_string().c_str();
    const std::string theirs = "arn:aws:acm:us-east-1:123456789012:certificate/of-others";
    Cloud source(cloudfront());  // for a certificate with its chain
    const std::string chain = read_text(source.workspace() / "former.pem");
    const std::size_t second = chain.find("-----BEGIN", 10);
    state["certificates"] = {
        {theirs, {{"certificate", chain.substr(0, second)}, {"chain", chain.substr(second)}}}};
    distribution.at("config") =
        config.substr(0, config.find("<ViewerCertificate>")) +
        "<ViewerCertificate>\n  <ACMCertificateArn>" + theirs +
        "</ACMCertificateArn>\n  <SSLSupportMethod>sni-only</SSLSupportMethod>\n"
        "  <MinimumProtocolVersion>TLSv1.2_2019</MinimumProtocolVersion>\n"
        "</ViewerCertificate>" +
        config.substr(config.find("<HttpVersion>"));
    Cloud cloud(cloudfront(), {{"state", state}});
    const Run in_vain = cloud.run_in_vain("newer");
    CAPTURE(in_vain.output);
    CHECK(says(config_of(cloud.vendor_double().state()), theirs));
    CHECK(cloud.certificates() == 1);

    const Run run = cloud.run("newer");
    CAPTURE(run.output);
    REQUIRE(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
    const std::string after = config_of(cloud.vendor_double().state());
    CHECK(says(after, "<MinimumProtocolVersion>TLSv1.2_2019</MinimumProtocolVersion>"));
    CHECK_FALSE(says(after, "CertificateSource"));
    // That of others is not certcast's to remove.
    CHECK(cloud.certificates() == 2);
}

TEST_CASE("a renewal is imported under the same ARN, and the distribution is left alone") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    const std::string arn = arn_of(cloud.vendor_double().state());
    const std::size_t updates = cloud.count("UpdateDistribution");
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    CHECK(arn_of(cloud.vendor_double().state()) == arn);
    CHECK(cloud.count("UpdateDistribution") == updates);
    CHECK(cloud.vendor_double().state().at("certificates").at(arn).at("imported") == 2);
}

TEST_CASE("a renewal takes another ARN where the pipeline says so") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    const std::string new_arn = "renewal = \"new_arn\"\n";
    REQUIRE(cloud.run("former", new_arn).text("cloud", "status") == "changed");
    const std::string arn = arn_of(cloud.vendor_double().state());
    const Run in_vain = cloud.run_in_vain("newer", new_arn);
    CAPTURE(in_vain.output);
    CHECK(cloud.served() == cloud.sha256("former"));
    REQUIRE(cloud.run("newer", new_arn).text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
    CHECK(cloud.certificates() == 1);
    CHECK(arn_of(cloud.vendor_double().state()) != arn);
}

TEST_CASE("another kind of key takes another ARN, and the old one goes when nothing uses it") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    const std::string arn = arn_of(cloud.vendor_double().state());
    cloud.issue_by_rsa("rsa");
    const Run run = cloud.run("rsa");
    CAPTURE(run.output);
    REQUIRE(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("rsa"));
    CHECK(cloud.certificates() == 1);
    CHECK(arn_of(cloud.vendor_double().state()) != arn);
    // And back, without proof: the one of RSA is there again.
    const Run in_vain = cloud.run_in_vain("newer");
    CAPTURE(in_vain.output);
    CHECK(cloud.served() == cloud.sha256("rsa"));
    CHECK(cloud.certificates() == 1);
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    CHECK(cloud.certificates() == 1);
}

TEST_CASE("what somebody else has imported meanwhile is what undoing brings back") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    // As by hand, under certcast's own ARN.
    json::object state = cloud.vendor_double().state();
    const std::string arn = arn_of(state);
    cloud.issue("theirs");
    const std::string pem = read_text(cloud.workspace() / "theirs.pem");
    const std::size_t second = pem.find("-----BEGIN", 10);
    state.at("certificates").as_object()[arn] = {{"certificate", pem.substr(0, second)},
                                                 {"chain", pem.substr(second)}};
    cloud.begin_again(state);
    const Run in_vain = cloud.run_in_vain("newer");
    CAPTURE(in_vain.output);
    CHECK(cloud.served() == cloud.sha256("theirs"));
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
}

TEST_CASE("what ACM does not take under an ARN gets another") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    const std::string arn = arn_of(cloud.vendor_double().state());
    cloud.vendor_double().set_faults(
        fault("ImportCertificate", R"("error", "code": "ValidationException")"));
    const Run run = cloud.run("newer");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("newer"));
    CHECK(cloud.certificates() == 1);
    CHECK(arn_of(cloud.vendor_double().state()) != arn);
}

TEST_CASE("a certificate that another distribution uses, too, is not replaced under it") {
    if (!cdn_is_installed()) return;
    json::object state = cloudfront().settings.at("state").as_object();
    json::object& distributions = state.at("distributions").as_object();
    distributions["E2OTHER"] = distributions.at("E2DOUBLE");
    Cloud cloud(cloudfront(), {{"state", state}});
    cloud.issue("shared");
    const auto both = [&](const std::string& certificate) {
        return cloud.workspace().run(
            with(cloud.pipeline(certificate, {}, "targets = [\"E2DOUBLE\", \"E2OTHER\"]\n"),
                 "distribution = \"E2DOUBLE\"", "distribution = \"${target.name}\""));
    };
    const Run first = both("former");
    CAPTURE(first.output);
    CHECK(first.text("cloud/E2DOUBLE", "status") == "changed");
    CHECK(first.text("cloud/E2OTHER", "status") == "changed");
    const Run second = cloud.run("newer");  // one of the two alone
    CAPTURE(second.output);
    CHECK(second.text("cloud", "status") == "changed");
    const json::object now = cloud.vendor_double().state();
    const std::string other = between(
        now.at("distributions").at("E2OTHER").at("config").as_string().c_str(), "arn:", "<");
    const json::value& theirs = now.at("certificates").at(other.substr(0, other.size() - 1));
    CHECK(theirs.at("sha256").as_string() == json::string(cloud.sha256("former")));
}

TEST_CASE("a certificate that others have imported is not made certcast's own") {
    if (!cdn_is_installed()) return;
    const Cloud source(cloudfront());
    const std::string pem = read_text(source.workspace() / "former.pem");
    const std::size_t second = pem.find("-----BEGIN", 10);
    const std::string theirs = "arn:aws:acm:us-east-1:123456789012:certificate/of-others";
    json::object state = cloudfront().settings.at("state").as_object();
    state["certificates"] = {
        {theirs, {{"certificate", pem.substr(0, second)}, {"chain", pem.substr(second)}}}};
    Cloud cloud(cloudfront(), {{"state", state}});
    cloud.take("former", source);
    REQUIRE(cloud.run("former").text("cloud", "status") == "changed");
    CHECK(cloud.certificates() == 2);
    REQUIRE(cloud.run("newer").text("cloud", "status") == "changed");
    const json::object now = cloud.vendor_double().state();
    CHECK(now.at("certificates").at(theirs).at("sha256").as_string() ==
          json::string(source.sha256("former")));
}

TEST_CASE("changes of others, and what CloudFront does not know yet, are waited for") {
    if (!cdn_is_installed()) return;
    json::object more;
    std::string faults;
    SUBCASE("a configuration that somebody has changed in between") {
        faults =
            fault("UpdateDistribution", R"("error", "code": "PreconditionFailed", "status": 412)");
    }
    SUBCASE("a change of the certificate that is under way") {
        faults = fault("UpdateDistribution",
                       R"("error", "code": "IllegalUpdate", "message": )"
                       R"("Only one viewer certificate change may be in progress at a time")");
    }
    SUBCASE("a certificate that was imported a moment ago") {
        more = {{"import_lag", 2}};
    }
    Cloud cloud(cloudfront(), more);
    if (!faults.empty()) cloud.vendor_double().set_faults(faults);
    const Run run = cloud.run("former");
    CAPTURE(run.output);
    CHECK(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("former"));
    CHECK(cloud.count("UpdateDistribution") >= 2);
}

TEST_CASE("credentials come from wherever operators have them") {
    if (!cdn_is_installed()) return;
    json::object more;
    const std::string keys =
        "access_key_id = \"AKIADOUBLE\"\nsecret_access_key = { env = \"CLOUD_SECRET\" }\n";
    std::string credentials;
    Environment environment;
    const TemporaryFolder folder;
    SUBCASE("the environment") {
        credentials =
            "access_key_id_from = { env = \"AWS_ACCESS_KEY_ID\" }\n"
            "secret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" }\n";
        environment = {{"AWS_ACCESS_KEY_ID", "AKIADOUBLE"},
                       {"AWS_SECRET_ACCESS_KEY", "the-secret"}};
    }
    SUBCASE("temporary ones") {
        more = {{"session_token", "passing"}};
        credentials = keys + "session_token = { env = \"AWS_SESSION_TOKEN\" }\n";
        environment = {{"AWS_SESSION_TOKEN", "passing"}};
    }
    SUBCASE("a profile") {
        const fs::path file =
            folder.write("credentials",
                         "[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\n"
                         "# of the tests\n[ shop ]\naws_access_key_id=AKIADOUBLE\n"
                         "aws_secret_access_key = the-secret\n[last]\naws_access_key_id = wrong\n");
        fs::permissions(file, fs::perms(0600));
        credentials = "credentials_file = \"" + file.string() + "\"\nprofile = \"shop\"\n";
    }
    Cloud cloud(cloudfront(), more);
    for (const auto& [name, value] : environment) cloud.workspace().environment()[name] = value;
    const Run run = cloud.workspace().run(with(cloud.pipeline("former"), keys, credentials));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.text("cloud", "status") == "changed");
}

TEST_CASE("the role of the machine has its credentials asked for") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront(), {{"session_token", "passing"}});
    const CloudDouble metadata(cloud.workspace(), "metadata_double.py",
                               {{"access_key_id", "AKIADOUBLE"},
                                {"access_key_secret", "the-secret"},
                                {"session_token", "passing"}});
    const std::string keys =
        "access_key_id = \"AKIADOUBLE\"\nsecret_access_key = { env = \"CLOUD_SECRET\" }\n";
    const std::string role =
        "instance_role = true\nmetadata_endpoint = \"" + metadata.url("http") + "\"\n";
    const Run run = cloud.workspace().run(with(cloud.pipeline("former"), keys, role));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.text("cloud", "status") == "changed");
    CHECK(cloud.served() == cloud.sha256("former"));

    const std::string nowhere =
        "instance_role = true\nmetadata_endpoint = \"http://127.0.0.1:1\"\n";
    const Run alone = cloud.workspace().run(with(cloud.pipeline("former"), keys, nowhere));
    CAPTURE(alone.output);
    CHECK(says(alone.message("cloud"), "127.0.0.1"));
}

TEST_CASE("who asks has to be said once") {
    if (!cdn_is_installed()) return;
    Cloud cloud(cloudfront());
    const std::string keys =
        "access_key_id = \"AKIADOUBLE\"\nsecret_access_key = { env = \"CLOUD_SECRET\" }\n";
    const auto said = [&](const std::string& credentials) {
        const Run run = cloud.workspace().run(with(cloud.pipeline("former"), keys, credentials));
        CHECK(run.status == 2);
        return run.output + run.errors;
    };
    CHECK(says(said(""), "none of them is given"));
    CHECK(says(said(keys + "instance_role = true\n"), "more than one is given"));
    CHECK(says(said("access_key_id = \"AKIADOUBLE\"\n"), "an access key has an id and a secret"));
    CHECK(cloud.vendor_double().requests().empty());
}
