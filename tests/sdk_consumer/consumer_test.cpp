#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/certificate/sources.hpp"
#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_certificates.hpp"

#include <certcast/plugin.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace certcast;
using namespace certcast::testing;

namespace {

std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// One deployer over its whole life, on a path where something stands already, or nothing.
void check_deployer(const std::string& file, bool existed) {
    const certcast_plugin& plugin =
        load_plugin(std::string(CERTCAST_CONSUMER_PLUGINS) + "/" + file);
    CHECK(plugin.abi_major == CERTCAST_ABI_MAJOR);
    REQUIRE(plugin.deployer_count == 1);

    const Issued issued = make_certificate({.names = {"DNS:shop.example"}});
    const std::string wanted = pem(issued.key) + pem(issued.certificate);
    const TemporaryFolder folder;
    const auto bundle =
        CertificateBundle::from(read_source(folder.write("source", wanted), Secret()).value(), {});
    FakeHost host(plugin.deployers[0]);
    host.add("shop", bundle.value());
    const std::filesystem::path target = folder / "target.pem";
    host.config["file"] = target.string();
    const std::string before = existed ? "something else" : "";
    // What is there is a link to a file that others may read.
    const auto behind = folder / "behind.pem";
    if (existed) {
        folder.write("behind.pem", before);
        std::filesystem::permissions(behind, std::filesystem::perms(0640));
        std::filesystem::create_symlink("behind.pem", target);
    }

    CHECK_FALSE(host.as_wanted());
    CHECK(host.run(CERTCAST_STAGE_DEPLOY).message == "");
    CHECK(text_of(target) == wanted);
    CHECK(host.changed.at(0));
    CHECK(host.as_wanted());
    std::filesystem::permissions(target, std::filesystem::perms(0644));
    CHECK_FALSE(host.as_wanted());
    CHECK(host.roll_back().message == "");
    CHECK(std::filesystem::exists(target) == existed);
    CHECK(text_of(target) == before);
    CHECK(std::filesystem::is_symlink(std::filesystem::symlink_status(target)) == existed);
    if (existed) {
        CHECK(std::filesystem::status(behind).permissions() == std::filesystem::perms(0640));
    }
}

}  // namespace

TEST_CASE("the deployers of the samples deploy, stay and roll back") {
    SUBCASE("C++, nothing there before") {
        check_deployer("pemfile.so", false);
    }
    SUBCASE("C++, something there before") {
        check_deployer("pemfile.so", true);
    }
    SUBCASE("C, nothing there before") {
        check_deployer("keyfile.so", false);
    }
    SUBCASE("C, something there before") {
        check_deployer("keyfile.so", true);
    }
}

TEST_CASE("the deployer of the samples that talks to an API looks for it") {
    const certcast_plugin& plugin =
        load_plugin(std::string(CERTCAST_CONSUMER_PLUGINS) + "/upload.so");
    FakeHost host(plugin.deployers[0]);
    host.config["url"] = "https://127.0.0.1:1/certificate";
    host.config["token"] = "token";
    host.secrets["token"] = "s3cret";
    const FakeOutcome outcome = host.inspect();
    CHECK(outcome.category == CERTCAST_NETWORK_ERROR);
    CHECK(outcome.message.find("GET https://127.0.0.1:1/certificate: ") == 0);
}
