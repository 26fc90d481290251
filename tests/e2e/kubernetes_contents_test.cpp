#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_space.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace certcast::testing;

namespace fs = std::filesystem;

namespace {

/// What other programs make of a secret: Kubernetes' Python client fetches it, OpenSSL reads it.
class Judge {
public:
    explicit Judge(const Space& space) : folder_(Space::cluster().workspace / space.name()) {
        fs::create_directories(folder_);
        const char* const script =
            "import base64, pathlib, sys\n"
            "from kubernetes import client, config\n"
            "config.load_kube_config(sys.argv[1])\n"
            "secret = client.CoreV1Api().read_namespaced_secret('shop', sys.argv[2])\n"
            "for key, value in secret.data.items():\n"
            "    (pathlib.Path(sys.argv[3]) / key).write_bytes(base64.b64decode(value))\n"
            "print(secret.type, *sorted(secret.data))\n";
        seen_ = said_by({"/usr/bin/python3", "-c", script, Space::server().kubeconfig().string(),
                         space.name(), folder_.string()},
                        environment_);
    }

    /// Its type and the keys of its data.
    const std::string& seen() const { return seen_; }
    fs::path operator/(const char* key) const { return folder_ / key; }
    std::string openssl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), "openssl");
        return said_by(arguments, environment_);
    }

private:
    Environment environment_{{"PATH", "/usr/bin:/bin"}};
    fs::path folder_;
    std::string seen_;
};

}  // namespace

TEST_CASE("others find a pair that belongs together, and the further entries beside it") {
    if (!cluster_is_there() || !is_there("/usr/lib/python3/dist-packages/kubernetes")) return;
    const Space space;
    const std::string entries =
        "entries = [{ form = \"certificate\", key = \"leaf.crt\" }, "
        "{ form = \"combined\", key = \"tls-combined.pem\" }, "
        "{ form = \"pkcs12\", key = \"keystore.p12\" }]\n";
    const std::string password = Space::cluster().workspace.folder().write("store", "of keys");
    fs::permissions(password, fs::perms(0600));
    const std::string more = entries + "pkcs12_password = { file = \"" + password + "\" }\n";
    const Run first = space.run(more);
    CAPTURE(first.output);
    REQUIRE(first.text("far", "status") == "changed");

    const Judge judge(space);
    CHECK(judge.seen() ==
          "kubernetes.io/tls keystore.p12 leaf.crt tls-combined.pem tls.crt tls.key\n");
    const std::string half = judge.openssl({"x509", "-in", judge / "tls.crt", "-noout", "-pubkey"});
    CHECK(judge.openssl({"pkey", "-in", judge / "tls.key", "-pubout"}) == half);
    CHECK(judge.openssl({"pkey", "-in", judge / "tls-combined.pem", "-pubout"}) == half);
    CHECK(judge.openssl({"x509", "-in", judge / "leaf.crt", "-noout", "-pubkey"}) == half);
    const std::string stored = judge.openssl(
        {"pkcs12", "-in", judge / "keystore.p12", "-passin", "pass:of keys", "-nodes"});
    CHECK(says(stored, Space::cluster().pem("newer")));

    // PKCS#12 differs each time it is made, and what it holds does not.
    const std::string version = space.version();
    CHECK(space.run(more).text("far", "status") == "unchanged");
    CHECK(space.version() == version);
    // One that somebody has spoilt is made anew, and one that is not wanted any more goes.
    space.kubectl({"patch", "secret", "shop", "--field-manager", "certcast", "-p",
                   R"({"data": {"keystore.p12": "c29tZXRoaW5n"}})"});
    CHECK(space.run(more).text("far", "status") == "changed");
    CHECK(space.entry("keystore.p12") != "something");
    CHECK(space.run(more, "former").text("far", "status") == "changed");
    CHECK(space.run({}, "former").text("far", "status") == "changed");
    CHECK(Judge(space).seen() == "kubernetes.io/tls tls.crt tls.key\n");
}

TEST_CASE("further entries come back with the rest when it is undone") {
    if (!cluster_is_there()) return;
    const Space space;
    const std::string combined =
        "entries = [{ form = \"combined\", key = \"tls-combined.pem\" }]\n";
    REQUIRE(space.run(combined, "former").text("far", "status") == "changed");
    const Run back = space.run_in_vain();
    CAPTURE(back.output);
    CHECK(back.text("far", "status") == "failed");
    CHECK(says(space.entry("tls-combined.pem"), Space::cluster().pem("former")));
    CHECK(space.run(combined, "former").text("far", "status") == "unchanged");
}

TEST_CASE("a secret may have another type, which stays as it is") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run("type = \"Opaque\"\n").text("far", "status") == "changed");
    CHECK(space.kubectl({"get", "secret", "shop", "-o", "jsonpath={.type}"}) == "Opaque");
    CHECK(space.run("type = \"Opaque\"\n").text("far", "status") == "unchanged");
    const Run other = space.run();
    CAPTURE(other.output);
    CHECK(other.text("far", "status") == "failed");
    CHECK(says(other.message("far"), "immutable"));
}

TEST_CASE("what nobody could serve is not sent") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const std::string version = space.version();
    const auto refused = [&](const Run& run, const char* why) {
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), why));
        CHECK(space.version() == version);
    };
    // The pipeline lets a key pass that is another one.
    std::string pipeline = with(space.pipeline(), "\"newer.key\"", "\"former.key\"");
    pipeline = with(pipeline, "older = \"off\"", "older = \"off\", key = \"off\"");
    refused(Space::cluster().workspace.run(pipeline), "name its own key in the pipeline");
    // Its authority has issued it, with nothing between them.
    refused(space.run("entries = [{ form = \"chain\", key = \"ca.crt\" }]\n"),
            "\"ca.crt\" would be empty");
}

TEST_CASE("entries and workloads that cannot be meant are refused by check") {
    const Workspace workspace;
    const auto refused = [&](const std::string& more, const char* why) {
        const fs::path file = workspace.folder().write(
            "checked.toml", workspace.head() +
                                "[deploy.far]\nplugin = \"kubernetes\"\ncertificate = \"shop\"\n"
                                "probe = false\n[deploy.far.config]\n"
                                "server = \"https://127.0.0.1:1\"\nname = \"shop\"\n" +
                                more);
        const Said said = workspace.say({"check", file.string()});
        CAPTURE(said.output);
        CAPTURE(said.errors);
        CHECK(said.status != 0);
        CHECK(says(said.output + said.errors, why));
    };
    refused("entries = [{ form = \"key\", key = \"tls.crt\" }]\n", "\"tls.crt\" is there already");
    refused("entries = [{ form = \"key\", key = \"a/b\" }]\n", "key");
    refused("entries = [{ form = \"jks\", key = \"store\" }]\n", "pkcs12");
    refused("restart = [\"web\"]\n", "expected deployment/NAME");
    refused("restart = [\"pod/web\"]\n", "\"pod/web\" names no workload");
}
