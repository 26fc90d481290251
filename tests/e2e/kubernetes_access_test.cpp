#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_space.hpp"
#include "tests/e2e/real_part.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace fs = std::filesystem;

namespace {

/// Of five secrets in each of these namespaces, with all that was logged.
Run run_for_many(const std::vector<std::string>& spaces, const std::string& pipeline) {
    std::ofstream list(Space::cluster().workspace / "many.txt");
    for (const std::string& space : spaces) {
        for (int i = 0; i < 5; ++i) {
            list << space << '-' << i << " space=" << space << " number=" << i << '\n';
        }
    }
    list.close();
    std::string many =
        with(pipeline, "probe = false", "probe = false\ntargets = { file = \"many.txt\" }");
    many = with(many, "name = \"shop\"", "name = \"shop-${target.number}\"");
    many = with(many, "namespace = \"" + spaces.front() + "\"", "namespace = \"${target.space}\"");
    return Space::cluster().workspace.run(many, {"--verbose"});
}

}  // namespace

TEST_CASE("a kubeconfig is read as kubectl reads it") {
    if (!cluster_is_there()) return;
    const Space space;
    const fs::path file = Space::cluster().workspace / "own.conf";
    const fs::path token = Space::cluster().workspace / "token";
    std::ofstream(token) << "admin-token\n";
    const auto written = [&](const std::string& config) {
        std::ofstream(file) << config;
        return Space::by_file(file);
    };
    const std::string good = Space::server().kubeconfig_of("tokenFile: token");
    const auto replaced = [&](const std::string& from, const std::string& to) {
        return written(with(good, from, to));
    };
    const std::string files = "credential_files = [\"" + token.string() + "\", \"" +
                              Space::server().authority().string() + "\"]\n";
    const std::string by_token = "kubeconfig = [\"" + file.string() + "\"]\n" + files;
    written(good);
    CHECK(space.run({}, "newer", by_token).text("far", "status") == "changed");

    SUBCASE("of several files the first decides") {
        const fs::path context = Space::cluster().workspace / "context.conf";
        std::ofstream(context) << "current-context: mine\ncontexts: [{name: mine, context: "
                                  "{cluster: here, user: one}}]\n";
        const std::string both =
            "kubeconfig = [\"" + context.string() + "\", \"" + file.string() + "\"]\n" + files;
        CHECK(space.run({}, "newer", both).text("far", "status") == "unchanged");
        const std::string named = both + "context = \"test\"\n";
        CHECK(space.run({}, "newer", named).text("far", "status") == "unchanged");
    }
    SUBCASE("a token that was exchanged counts from the next request on") {
        std::ofstream(token) << "wrong";
        CHECK(says(space.run({}, "newer", by_token).message("far"), "Unauthorized"));
        std::ofstream(token) << "admin-token";
        CHECK(space.run({}, "newer", by_token).text("far", "status") == "unchanged");
    }
    SUBCASE("what is not there is named") {
        const auto says_why = [&](const std::string& access, const std::string& why) {
            const Run run = space.run({}, "newer", access);
            CAPTURE(run.output);
            CAPTURE(why);
            CHECK(says(run.message("far"), why));
        };
        says_why(by_token + "context = \"other\"\n",
                 "there is no context 'other', which is wanted; "
                 "there are: test");
        says_why(replaced("user: one", "user: two"), "there is no user 'two'");
        says_why(replaced("cluster: here,", "cluster: there,"), "there is no cluster 'there'");
        says_why(replaced("tokenFile: token", "tokenFile: missing"), "missing");
        says_why(replaced("current-context: test", "x: y"), "there is no current-context");
        says_why(replaced("server: https", "server: http"), "has to be an https URL");
        says_why(replaced("certificate-authority: ", "insecure-skip-tls-verify: true #"),
                 "leaves open whom the key is sent to");
        says_why(written("{"), file.string() + ":");
        fs::remove(file);
        says_why(Space::by_file(file), file.string());
    }
}

TEST_CASE("a program gives the credential, where the pipeline permits it") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    const fs::path program = workspace / "credential";
    const fs::path file = workspace / "by-program.conf";
    const std::string version = "client.authentication.k8s.io/v1beta1";
    const auto gives = [&](const std::string& script) {
        std::ofstream(program) << "#!/bin/sh\n" << script;
        fs::permissions(program, fs::perms(0755));
    };
    const auto token = [&](const std::string& word, const std::string& of_version) {
        return "echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"" + of_version +
               "\", \"status\": {\"token\": \"" + word + "\"}}'\n";
    };
    std::ofstream(file) << Space::server().kubeconfig_of(
        "{exec: {apiVersion: " + version + ", command: ./credential, args: [get-token], " +
        "env: [{name: OWN, value: \"of theirs\"}], installHint: ask somebody}}");
    const std::string access = Space::by_file(file, program);
    const std::string permitted = access + "exec = \"" + program.string() + "\"\n";
    gives(token("admin-token", version));
    const Run forbidden = space.run({}, "newer", access);
    CAPTURE(forbidden.output);
    CHECK(says(forbidden.message("far"), "exec = \"" + program.string() + "\" permits it"));

    SUBCASE("it is told what it has to know") {
        gives("case $KUBERNETES_EXEC_INFO in\n*\"" + version +
              "\"*'\"interactive\":false'*) ;;\n*) exit 3 ;;\nesac\n"
              "[ \"$OWN $1\" = 'of theirs get-token' ] || exit 4\n" +
              token("admin-token", version));
        const Run run = space.run({}, "newer", permitted);
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "changed");
        CHECK(space.run({}, "newer", permitted).text("far", "status") == "unchanged");
        return;
    }
    std::string why;
    SUBCASE("it fails") {
        gives("echo no credential for you >&2\nexit 7\n");
        why = "ended with status 7";
    }
    SUBCASE("it gives another version") {
        gives(token("admin-token", "client.authentication.k8s.io/v1"));
        why = "was asked for '" + version + "'";
    }
    SUBCASE("it gives something else") {
        gives("echo words\n");
        why = "gives no ExecCredential";
    }
    SUBCASE("it gives nothing") {
        gives("echo '{\"kind\": \"ExecCredential\", \"apiVersion\": \"" + version + "\"}'\n");
        why = "gives neither a token nor a certificate";
    }
    SUBCASE("it gives what is refused") {
        gives(token("wrong", version));
        why = "Unauthorized";
    }
    SUBCASE("it is not there") {
        fs::remove(program);
        why = "cannot be run: No such file or directory; ask somebody";
    }
    const Run run = space.run({}, "newer", permitted);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.message("far"), why));
}

TEST_CASE("what may be done in a namespace is asked once for all of its secrets") {
    if (!cluster_is_there()) return;
    const Space one;
    const Space other;
    const Run run = run_for_many({one.name(), other.name()}, one.pipeline());
    CAPTURE(run.output + run.errors);
    CHECK(run.status == 0);
    CHECK(count_of(run.output, "PATCH http") == 10);
    CHECK(count_of(run.output, "/selfsubjectaccessreviews") == 2);
}

TEST_CASE("a program is run once for all deployments that it gives the credential for") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    const fs::path program = workspace / "counted";
    const fs::path file = workspace / "counted.conf";
    std::ofstream(file) << Space::server().kubeconfig_of(
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./counted}}");
    std::string until;
    std::size_t runs = 1;
    SUBCASE("it does not say how long it is good for") {}
    SUBCASE("it is good for long enough") {
        until = ", \"expirationTimestamp\": \"2999-01-01T00:00:00Z\"";
    }
    SUBCASE("it is good for no time to speak of") {
        until = ", \"expirationTimestamp\": \"2026-01-01T00:00:00Z\"";
        runs = 5;
    }
    SUBCASE("how long it is good for cannot be read") {
        until = ", \"expirationTimestamp\": \"in an hour\"";
        runs = 5;
    }
    SUBCASE("it says so as programs do that do not know it") {
        until = ", \"expirationTimestamp\": null";
    }
    std::ofstream(program) << "#!/bin/sh\necho here it is >&2\n"
                              "echo '{\"kind\": \"ExecCredential\", \"apiVersion\": "
                              "\"client.authentication.k8s.io/v1\", "
                              "\"status\": {\"token\": \"admin-token\""
                           << until << "}}'\n";
    fs::permissions(program, fs::perms(0755));
    const Run run = run_for_many(
        {space.name()},
        space.pipeline({}, "newer",
                       Space::by_file(file, program) + "exec = \"" + program.string() + "\"\n"));
    CAPTURE(run.output + run.errors);
    CHECK(run.status == 0);
    CHECK(count_of(run.output, "here it is") == runs);
    CHECK_FALSE(says(run.output, "admin-token"));
}

TEST_CASE("a program that does not end is ended with its deployment") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    const fs::path program = workspace / "endless";
    std::ofstream(program) << "#!/bin/sh\nsleep 1000\n";
    fs::permissions(program, fs::perms(0755));
    const fs::path file = workspace / "endless.conf";
    std::ofstream(file) << Space::server().kubeconfig_of(
        "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./endless}}");
    const Run run = workspace.run(
        space.pipeline({}, "newer",
                       Space::by_file(file, program) + "exec = \"" + program.string() + "\"\n") +
        "[deploy.far.timeouts]\ninspect = \"1s\"\n");
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "timed_out");
    CHECK(leftovers().empty());
}

TEST_CASE("a server that is not whom it should be gets nothing") {
    if (!cluster_is_there()) return;
    const Space space;
    const std::string login = "server = \"" + Space::server().url() + "\"\ntoken = { file = \"" +
                              (Space::cluster().workspace / "admin-token").string() + "\" }\n";
    std::ofstream(Space::cluster().workspace / "admin-token") << "admin-token";
    fs::permissions(Space::cluster().workspace / "admin-token", fs::perms(0600));
    const std::string known = "ca_file = \"" + Space::server().authority().string() + "\"\n";
    const Run unknown = space.run({}, "newer", login);
    CAPTURE(unknown.output);
    CHECK(says(unknown.message("far"), "issuer certificate"));
    CHECK(says(
        space.run({}, "newer", login + known + "server_name = \"other.example\"\n").message("far"),
        "other.example"));
    CHECK(space.run({}, "newer", login + known + "server_name = \"kubernetes.default.svc\"\n")
              .text("far", "status") == "changed");
    CHECK(space.run({}, "newer", login + known).text("far", "status") == "unchanged");
}

TEST_CASE("a token that is refused is asked for once more") {
    if (!cluster_is_there()) return;
    const Space space;
    const fs::path asked = Space::cluster().workspace / "asked";
    const std::string access = "server = \"" + Space::server().url() + "\"\nca_file = \"" +
                               Space::server().authority().string() +
                               "\"\ntoken = { command = [\"sh\", \"-c\", \"echo again >> " +
                               asked.string() + "; [ $(wc -l < " + asked.string() +
                               ") -gt 1 ] && echo admin-token || echo wrong\"] }\n";
    const Run run = space.run({}, "newer", access);
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(read_text(asked) == "again\nagain\n");
}

TEST_CASE("a client certificate is taken as long as it lasts") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    space.kubectl(
        {"create", "rolebinding", "of-certificate", "--clusterrole=cluster-admin", "--user=ops"});
    const fs::path file = workspace / "by-certificate.conf";
    const auto run_as = [&](const std::string& name) {
        const fs::path certificate = workspace / (name + ".pem");
        const fs::path key = workspace / (name + ".key");
        std::ofstream(file) << Space::server().kubeconfig_of(
            "{client-certificate: " + certificate.string() + ", client-key: " + key.string() + "}");
        return space.run({}, "newer",
                         "kubeconfig = [\"" + file.string() + "\"]\ncredential_files = " +
                             Toml::list({Space::server().authority().string(), certificate.string(),
                                         key.string()}) +
                             "\n");
    };
    workspace.issue("ops-expired", {.subject = "ops", .begins_in = -48h, .ends_in = -24h});
    const Run expired = run_as("ops-expired");
    CAPTURE(expired.output);
    CHECK(expired.text("far", "status") == "failed");
    CHECK(says(expired.message("far"), "Unauthorized"));
    workspace.issue("ops", {.subject = "ops"});
    const Run good = run_as("ops");
    CAPTURE(good.output);
    CHECK(good.text("far", "status") == "changed");
}

TEST_CASE("a token file is read anew by each run") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    const fs::path token = workspace / "rotating-token";
    const fs::path file = workspace / "rotating.conf";
    std::ofstream(file) << Space::server().kubeconfig_of("tokenFile: " + token.string());
    std::ofstream(token) << "admin-token";
    CHECK(space.run({}, "former", Space::by_file(file, token)).text("far", "status") == "changed");
    std::ofstream(token) << "of yesterday";
    CHECK(space.run({}, "newer", Space::by_file(file, token)).text("far", "status") == "failed");
    std::ofstream(token) << "admin-token";
    CHECK(space.run({}, "newer", Space::by_file(file, token)).text("far", "status") == "changed");
}

TEST_CASE("a pod's service account is found where a pod has it") {
    if (!cluster_is_there() || !may_mount()) return;
    const Space space;
    Workspace& workspace = Space::cluster().workspace;
    std::ofstream(workspace / "token") << "admin-token\n";
    std::ofstream(workspace / "namespace") << space.name();
    const std::string url = Space::server().url();
    workspace.environment()["KUBERNETES_SERVICE_HOST"] = "127.0.0.1";
    workspace.environment()["KUBERNETES_SERVICE_PORT"] = url.substr(url.rfind(':') + 1);
    const std::string account = "/run/secrets/kubernetes.io/serviceaccount";
    workspace.launcher() = {"unshare",
                            "--mount",
                            "sh",
                            "-c",
                            "mount -t tmpfs tmpfs /run && mkdir -p " + account + " && cp " +
                                (workspace / "token").string() + " " +
                                (workspace / "namespace").string() + " " + account + " && cp " +
                                Space::server().authority().string() + " " + account +
                                "/ca.crt && exec \"$@\"",
                            "sh"};
    const std::string pipeline = with(space.pipeline({}, "newer", "in_cluster = true\n"),
                                      "namespace = \"" + space.name() + "\"\n", "");
    const Run run = workspace.run(pipeline);
    workspace.launcher().clear();
    const Run outside = workspace.run(pipeline);
    workspace.environment().erase("KUBERNETES_SERVICE_HOST");
    workspace.environment().erase("KUBERNETES_SERVICE_PORT");
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
    CHECK(says(outside.message("far"), "/var/run/secrets/kubernetes.io/serviceaccount/token"));
}
