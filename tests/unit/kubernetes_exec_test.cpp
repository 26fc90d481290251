#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "plugins/kubernetes/exec_credential.hpp"
#include "tests/unit/fake_host.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_authority.hpp"

#include <doctest/doctest.h>
#include <certcast/deployer.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

using namespace certcast::testing;

namespace {

constexpr const char* version = "client.authentication.k8s.io/v1";

std::string credential(const std::string& status, const std::string& of_version = version) {
    return R"({"kind": "ExecCredential", "apiVersion": ")" + of_version + R"(", "status": {)" +
           status + "}}";
}

/// Asks for a credential.
struct Asking {
    static constexpr certcast::About about{.id = "asking", .version = "1", .name = "Asks"};

    static std::function<void(certcast::Job&)>& act() {
        static std::function<void(certcast::Job&)> function;
        return function;
    }
    void deploy(certcast::Job& job) { act()(job); }
};

/// A program that gives one, and an account that may know one.
class Program {
public:
    Program() { gives(credential(R"("token": "own")")); }

    void gives(const std::string& answer) const {
        std::ofstream(path()) << "#!/bin/sh\necho x >>" << (folder_ / "runs").string()
                              << "\ncat <<'END'\n"
                              << answer << "\nEND\n";
        std::filesystem::permissions(path(), std::filesystem::perms(0755));
    }
    /// The access that comes of it; of several that are asked for one after the other the last.
    kubernetes::Access asked(int times = 1) {
        kubernetes::Access access;
        access.exec = kubernetes::ExecPlugin{
            .command = path().string(), .api_version = version, .where = "here"};
        Asking::act() = [&](certcast::Job& job) {
            for (int i = 0; i < times; ++i) kubernetes::take_exec_credential(access, job);
        };
        outcome = host.run(CERTCAST_STAGE_DEPLOY);
        return access;
    }
    std::size_t runs() const {
        std::ifstream file(folder_ / "runs");
        std::size_t count = 0;
        for (std::string line; std::getline(file, line);) ++count;
        return count;
    }
    std::string& shared() { return host.shared["exec credential"]; }

    FakeHost host{certcast::plugin_of<Asking>().deployers[0]};
    FakeOutcome outcome;

private:
    std::filesystem::path path() const { return folder_ / "program"; }

    TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a credential that the account knows is taken, and the program is not run") {
    Program program;
    SUBCASE("a token") {
        program.shared() = credential(R"("token": "theirs")");
        CHECK(program.asked().token == "theirs");
    }
    SUBCASE("a certificate") {
        std::string pem_in_json = pem(ca().leaf.certificate);
        for (std::size_t at = 0; (at = pem_in_json.find('\n', at)) != std::string::npos; at += 2) {
            pem_in_json.replace(at, 1, "\\n");
        }
        program.shared() = credential(R"("clientCertificateData": ")" + pem_in_json +
                                      R"(", "clientKeyData": "a key")");
        CHECK(program.asked().http.certificate_pem == pem(ca().leaf.certificate));
    }
    CHECK(program.outcome.ok);
    CHECK(program.runs() == 0);
}

TEST_CASE("what the account gives is not believed, and the program is run instead") {
    Program program;
    SUBCASE("it is nothing") {
        program.shared() = "{}";
    }
    SUBCASE("it is no JSON") {
        program.shared() = "nonsense";
    }
    SUBCASE("it is of another version") {
        program.shared() = credential(R"("token": "theirs")", "client.authentication.k8s.io/v2");
    }
    SUBCASE("it is a certificate that is none") {
        program.shared() = credential(R"("clientCertificateData": "x", "clientKeyData": "y")");
    }
    CHECK(program.asked().token == "own");
    CHECK(program.outcome.ok);
    CHECK(program.runs() == 1);
    CHECK(program.shared() == credential(R"("token": "own")") + "\n");
}

TEST_CASE("one that is asked for again was refused") {
    Program program;
    program.shared() = credential(R"("token": "theirs")");
    CHECK(program.asked(2).token == "own");
    CHECK(program.runs() == 1);
}

TEST_CASE("a program that gives what is none fails, and is run once") {
    Program program;
    program.gives(credential(R"("clientCertificateData": "x", "clientKeyData": "y")"));
    program.asked();
    CHECK_FALSE(program.outcome.ok);
    CHECK(program.outcome.category == CERTCAST_CONFIG_ERROR);
    CHECK(program.outcome.message.find("no PEM") != std::string::npos);
    CHECK(program.runs() == 1);
    CHECK(program.host.shared.empty());
}

TEST_CASE("what is over, or does not say when in words that are known, is not shared") {
    Program program;
    SUBCASE("long ago") {
        program.gives(credential(R"("token": "t", "expirationTimestamp": "0001-01-01T00:00:00Z")"));
    }
    SUBCASE("at some time") {
        program.gives(credential(R"("token": "t", "expirationTimestamp": "noon")"));
    }
    CHECK(program.asked().token == "t");
    CHECK(program.host.shared.empty());
}
