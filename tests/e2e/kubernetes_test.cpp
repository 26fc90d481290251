#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_server.hpp"
#include "tests/e2e/real_part.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace {

namespace fs = std::filesystem;

bool cluster_is_there() {
    if (!kubernetes_programs().empty()) return true;
    MESSAGE("skipped: there is no kube-apiserver; tests/run.sh --kubernetes builds one");
    return false;
}

/// `text` with one word for another, wherever it stands.
std::string with(std::string text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

/// One server for all tests, each in a namespace of its own.
class Cluster {
public:
    Cluster() : server(workspace) {
        workspace.issue("newer");
        workspace.issue("former");
    }
    static Cluster& of_all_tests() {
        static Cluster cluster;
        return cluster;
    }

    std::string pem(const std::string& certificate) const {
        return read_text(workspace / (certificate + ".pem"));
    }
    std::string key(const std::string& certificate) const {
        return read_text(workspace / (certificate + ".key"));
    }

    Workspace workspace;
    KubernetesServer server;
};

/// A namespace and deployments to a secret in it.
class Space {
public:
    Space() : name_("space-" + std::to_string(++spaces_)) {
        server().kubectl({"create", "namespace", name_});
    }

    static Cluster& cluster() { return Cluster::of_all_tests(); }
    static KubernetesServer& server() { return cluster().server; }
    const std::string& name() const { return name_; }
    /// What kubectl says of the namespace.
    std::string kubectl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.end(), {"-n", name_});
        return server().kubectl(std::move(arguments));
    }

    /// `more`: another file that it names.
    static std::string by_file(const fs::path& kubeconfig, const fs::path& more = {}) {
        std::vector<std::string> files{server().authority().string()};
        if (!more.empty()) files.push_back(more.string());
        return "kubeconfig = [\"" + kubeconfig.string() +
               "\"]\ncredential_files = " + Toml::list(files) + "\n";
    }
    static std::string as_admin() { return by_file(server().kubeconfig()); }
    /// `more`: lines of its config. `access`: how the server is reached.
    std::string pipeline(const std::string& more = {}, const std::string& certificate = "newer",
                         const std::string& access = as_admin()) const {
        return cluster().workspace.head({certificate}) +
               "[deploy.far]\nplugin = \"kubernetes\"\ncertificate = \"" + certificate +
               "\"\nprobe = false\nguards = { older = \"off\" }\n[deploy.far.config]\n" + access +
               "name = \"shop\"\nnamespace = \"" + name_ + "\"\n" + more;
    }
    Run run(const std::string& more = {}, const std::string& certificate = "newer",
            const std::string& access = as_admin()) const {
        return cluster().workspace.run(pipeline(more, certificate, access));
    }
    /// Where a probe finds nobody, so that what was deployed is undone.
    Run run_in_vain(const std::string& more = {}) const {
        return cluster().workspace.run(
            with(pipeline(more), "probe = false",
                 "probe = [{ address = \"127.0.0.1:1\", timeout = \"300ms\" }]"));
    }
    std::string entry(const std::string& key) const { return server().entry(name_, "shop", key); }
    std::string version() const { return server().version_of(name_, "shop"); }
    bool has_secret() const {
        return says(kubectl({"get", "secrets", "-o", "name"}), "secret/shop");
    }

private:
    static inline int spaces_ = 0;
    std::string name_;
};

}  // namespace

TEST_CASE("a secret is made, left alone when it is right, and renewed") {
    if (!cluster_is_there()) return;
    const Space space;
    const Run first = space.run({}, "former");
    CAPTURE(first.output);
    REQUIRE(first.text("far", "status") == "changed");
    CHECK(first.text("far", "proof") == "verify");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    CHECK(says(space.entry("tls.key"), "PRIVATE KEY"));
    CHECK(space.kubectl({"get", "secret", "shop", "-o", "jsonpath={.type}"}) ==
          "kubernetes.io/tls");

    const std::string version = space.version();
    const Run second = space.run({}, "former");
    CAPTURE(second.output);
    CHECK(second.text("far", "status") == "unchanged");
    CHECK(space.version() == version);

    CHECK(space.run().text("far", "status") == "changed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
}

TEST_CASE("labels and annotations belong to it") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run().text("far", "status") == "changed");
    const std::string more =
        "labels = { app = \"shop\" }\nannotations = { \"example.org/of\" = \"us\" }\n";
    CHECK(space.run(more).text("far", "status") == "changed");
    const std::string seen = space.kubectl(
        {"get", "secret", "shop", "-o", "jsonpath={.metadata.labels.app} {.metadata.annotations}"});
    CHECK(says(seen, "shop "));
    CHECK(says(seen, "example.org/of"));
    CHECK(space.run(more).text("far", "status") == "unchanged");
    // One without a value is one that is not there yet.
    const std::string empty = "labels = { app = \"shop\", bare = \"\" }\n";
    CHECK(space.run(empty).text("far", "status") == "changed");
    CHECK(space.run(empty).text("far", "status") == "unchanged");
}

TEST_CASE("what somebody else manages is left to them, unless it is taken over") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    SUBCASE("a field that another manager has written since") {
        space.kubectl({"patch", "secret", "shop", "--field-manager", "somebody", "-p",
                       R"({"data": {"tls.crt": "c29tZXRoaW5n"}})"});
        const Run run = space.run();
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), "somebody"));
        CHECK(says(run.message("far"), "takeover = true"));
        CHECK(space.entry("tls.crt") == "something");
    }
    SUBCASE("a secret of cert-manager") {
        space.kubectl({"annotate", "secret", "shop", "cert-manager.io/certificate-name=of-theirs"});
        const Run run = space.run();
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), "'of-theirs'"));
        CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    }
    const Run taken = space.run("takeover = true\n");
    CAPTURE(taken.output);
    CHECK(taken.text("far", "status") == "changed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
}

TEST_CASE("what is not proven is undone") {
    if (!cluster_is_there()) return;
    const Space space;
    const Run gone = space.run_in_vain();
    CAPTURE(gone.output);
    CHECK(gone.text("far", "rollback") == "done");
    CHECK_FALSE(space.has_secret());

    const std::string more = "labels = { app = \"former\" }\n";
    REQUIRE(space.run(more, "former").text("far", "status") == "changed");
    const std::string key = space.entry("tls.key");
    const Run back = space.run_in_vain("labels = { app = \"newer\", other = \"one\" }\n");
    CAPTURE(back.output);
    CHECK(back.text("far", "status") == "failed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    CHECK(space.entry("tls.key") == key);
    const std::string labels =
        space.kubectl({"get", "secret", "shop", "-o", "jsonpath={.metadata.labels}"});
    CHECK(says(labels, "former"));
    CHECK_FALSE(says(labels, "other"));
    CHECK(space.run(more, "former").text("far", "status") == "unchanged");

    // What the pipeline does not name any more goes by applying, and comes back with the rest.
    const Run unnamed = space.run_in_vain();
    CAPTURE(unnamed.output);
    CHECK(says(unnamed.output, "undone, but the former certificate is not served"));  // nor was it
    CHECK(space.run(more, "former").text("far", "status") == "unchanged");
}

TEST_CASE("what others have added to a secret is not deleted with it") {
    if (!cluster_is_there()) return;
    const Space space;
    // Somebody writes to it while it waits for its proof.
    const auto run = Space::cluster().workspace.start_run(
        with(space.pipeline(), "probe = false",
             "probe = [{ address = \"127.0.0.1:1\", timeout = \"60s\" }]"));
    wait_until("the secret is there", [&] { return space.has_secret(); });
    space.kubectl({"label", "secret", "shop", "of=theirs"});
    run->signal(SIGINT);
    const Run ended = Space::cluster().workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "rollback") == "failed");
    CHECK(says(ended.output, "has written to it since"));
    CHECK(space.has_secret());
}

TEST_CASE("what the server refuses is told in its own words") {
    if (!cluster_is_there()) return;
    const Space space;
    const auto fails = [](const Run& run, const std::vector<std::string>& words) {
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        for (const std::string& word : words) {
            CAPTURE(word);
            CHECK(says(run.message("far"), word));
        }
    };
    const fs::path file = Space::cluster().workspace / "other.conf";
    const auto as = [&](const std::string& user) {
        std::ofstream(file) << Space::server().kubeconfig_of(user);
        return Space::by_file(file);
    };
    // A token that nobody knows.
    fails(space.run({}, "newer", as("token: wrong")), {"Unauthorized"});
    // Somebody who may read, and not write.
    space.kubectl({"create", "role", "reads", "--verb=get,patch", "--resource=secrets"});
    space.kubectl({"create", "rolebinding", "reads", "--role=reads", "--user=limited"});
    fails(space.run({}, "newer", as("token: limited-token")), {"lacks the verb 'create'"});
    // A secret of another type, which cannot be changed.
    space.kubectl({"create", "secret", "generic", "shop", "--from-literal=a=b"});
    fails(space.run(), {"\"kubectl-create\""});
    fails(space.run("takeover = true\n"), {"type: Invalid value", "immutable"});
    // A namespace that is not there.
    const std::string elsewhere = with(space.pipeline(), "\"" + space.name() + "\"", "\"nowhere\"");
    fails(Space::cluster().workspace.run(elsewhere), {"namespaces \"nowhere\" not found"});
}

TEST_CASE("the Role of the samples is enough for their pipeline, and for no other namespace") {
    if (!cluster_is_there()) return;
    const Space space;
    const Space other;
    const Workspace& workspace = Space::cluster().workspace;
    const fs::path samples = fs::path(CERTCAST_SAMPLES) / "kubernetes";
    const fs::path role = workspace.folder().write(
        "role.yaml",
        with(read_text(samples / "role.yaml"), "namespace: web", "namespace: " + space.name()));
    space.kubectl({"apply", "-f", role.string()});
    const fs::path request = workspace.folder().write(
        "request.json",
        R"({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})");
    const std::string answer =
        space.kubectl({"create", "--raw",
                       "/api/v1/namespaces/" + space.name() + "/serviceaccounts/certcast/token",
                       "-f", request.string()});
    const boost::json::value token = boost::json::parse(answer).at("status").at("token");
    const fs::path secret = workspace.folder().write("cluster", token.as_string().c_str());
    fs::permissions(secret, fs::perms(0600));

    std::string pipeline = read_text(samples / "pipeline.toml");
    pipeline = with(pipeline, "https://kubernetes.default.svc", Space::server().url());
    pipeline = with(pipeline, "/etc/letsencrypt/live/shop.example/fullchain.pem",
                    (workspace / "newer.pem").string());
    pipeline = with(pipeline, "/etc/letsencrypt/live/shop.example/privkey.pem",
                    (workspace / "newer.key").string());
    pipeline = with(pipeline, "/etc/certcast/cluster-ca.pem", Space::server().authority().string());
    pipeline = with(pipeline, "/etc/certcast/secrets/cluster", secret.string());
    pipeline = with(pipeline, "[\"web\"]", Toml::list({space.name(), other.name()}));
    const Run run = workspace.run(pipeline);
    CAPTURE(run.output);
    CHECK(run.text("web/" + space.name(), "status") == "changed");
    CHECK(run.text("web/" + other.name(), "status") == "failed");
    CHECK(says(run.message("web/" + other.name()), "cannot get resource"));
    CHECK(says(Space::server().entry(space.name(), "shop-tls", "tls.crt"),
               Space::cluster().pem("newer")));

    // Undoing it is granted, too.
    space.kubectl({"delete", "secret", "shop-tls"});
    const std::string in_vain = with(
        pipeline, "probe = false", "probe = [{ address = \"127.0.0.1:1\", timeout = \"300ms\" }]");
    CHECK(workspace.run(in_vain).text("web/" + space.name(), "rollback") == "done");
    CHECK_FALSE(says(space.kubectl({"get", "secrets", "-o", "name"}), "shop-tls"));
}

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

TEST_CASE("a plan asks the server what it would do, and writes nothing") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    const auto planned = [&](const std::string& pipeline) {
        const fs::path file = workspace.folder().write("plan.toml", pipeline);
        return workspace.say({"plan", file.string()});
    };
    const Said absent = planned(space.pipeline());
    CAPTURE(absent.output);
    CHECK(absent.status == 10);
    CHECK(says(absent.output, "absent"));
    CHECK_FALSE(space.has_secret());

    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const std::string version = space.version();
    CHECK(planned(space.pipeline()).status == 10);
    CHECK(planned(space.pipeline({}, "former")).status == 0);
    CHECK(space.version() == version);
    space.kubectl({"patch", "secret", "shop", "--field-manager", "somebody", "-p",
                   R"({"data": {"tls.crt": "c29tZXRoaW5n"}})"});
    const Said refused = planned(space.pipeline());
    CAPTURE(refused.output);
    CHECK(refused.status == 1);
    CHECK(says(refused.output + refused.errors, "somebody"));
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

TEST_CASE("a server that is gone is told, and asked again by the next run") {
    if (!cluster_is_there()) return;
    const Space space;
    Space::server().stop();
    const Run run = space.run();
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(run.output, "network"));
    Space::server().start();
    CHECK(space.run().text("far", "status") == "changed");
}
