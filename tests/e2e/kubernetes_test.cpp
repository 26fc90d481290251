#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_space.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace fs = std::filesystem;

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
    const auto run = Space::cluster().workspace.start_run(unproven(space.pipeline(), "60s"));
    wait_until("the secret is there", [&] { return space.has_secret(); });
    space.kubectl({"label", "secret", "shop", "of=theirs"});
    run->signal(SIGINT);
    const Run ended = Space::cluster().workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "rollback") == "failed");
    CHECK(says(ended.output, "has written to it since"));
    CHECK(space.has_secret());
}

TEST_CASE("what others have changed meanwhile stays when the rest is undone") {
    if (!cluster_is_there()) return;
    const Space space;
    const std::string more = "labels = { app = \"shop\" }\n";
    REQUIRE(space.run(more, "former").text("far", "status") == "changed");
    const auto run = Space::cluster().workspace.start_run(unproven(space.pipeline(more), "5s"));
    wait_until("it is written",
               [&] { return says(space.entry("tls.crt"), Space::cluster().pem("newer")); });
    space.kubectl({"label", "--overwrite", "secret", "shop", "app=theirs"});
    run->signal(SIGINT);
    const Run ended = Space::cluster().workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    CHECK(space.kubectl({"get", "secret", "shop", "-o", "jsonpath={.metadata.labels.app}"}) ==
          "theirs");
    CHECK(says(ended.output, "has written since stays"));
}

TEST_CASE("a Role for this one secret is enough to make and to undo it") {
    if (!cluster_is_there()) return;
    const Space space;
    space.kubectl({"create", "role", "one", "--verb=get,patch,create,delete", "--resource=secrets",
                   "--resource-name=shop"});
    space.kubectl({"create", "rolebinding", "one", "--role=one", "--user=limited"});
    const std::string pipeline = space.pipeline({}, "newer", Space::as_limited());
    const fs::path planned = Space::cluster().workspace.folder().write("plan.toml", pipeline);
    const Said plan = Space::cluster().workspace.say({"plan", planned.string()});
    CAPTURE(plan.output + plan.errors);
    CHECK(plan.status == 10);
    const Run in_vain = Space::cluster().workspace.run(unproven(pipeline));
    CAPTURE(in_vain.output);
    CHECK(in_vain.text("far", "rollback") == "done");
    CHECK_FALSE(space.has_secret());
    CHECK(Space::cluster().workspace.run(pipeline).text("far", "status") == "changed");
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
    const std::string in_vain = unproven(pipeline);
    CHECK(workspace.run(in_vain).text("web/" + space.name(), "rollback") == "done");
    CHECK_FALSE(says(space.kubectl({"get", "secrets", "-o", "name"}), "shop-tls"));
}

TEST_CASE("namespaces are found by their labels, and each has its own outcome") {
    if (!cluster_is_there()) return;
    const Space one;
    const Space forbidden;
    const Space other;
    const Space going;
    for (const Space* space : {&one, &forbidden, &going}) {
        space->kubectl({"label", "namespace", space->name(), "certificates=shop"});
    }
    going.kubectl({"delete", "namespace", going.name(), "--wait=false"});
    const Workspace& workspace = Space::cluster().workspace;
    one.kubectl({"create", "clusterrole", "looks", "--verb=list", "--resource=namespaces"});
    one.kubectl({"create", "clusterrolebinding", "looks", "--clusterrole=looks", "--user=limited"});
    one.kubectl(
        {"create", "rolebinding", "writes", "--clusterrole=cluster-admin", "--user=limited"});
    std::string pipeline =
        one.pipeline("namespace_selector = \"certificates=shop\"\n", "newer", Space::as_limited());
    pipeline = with(pipeline, "\"" + one.name() + "\"", "\"${target.name}\"");
    pipeline = with(pipeline, "probe = false", "probe = false\ntargets = { discover = true }");
    const Run run = workspace.run(pipeline);
    CAPTURE(run.output);
    CHECK(run.report.at("deployments").as_array().size() == 2);
    CHECK(run.text("far/" + one.name(), "status") == "changed");
    CHECK(run.text("far/" + forbidden.name(), "status") == "failed");
    CHECK(says(one.entry("tls.crt"), Space::cluster().pem("newer")));
    CHECK_FALSE(other.has_secret());

    one.kubectl({"delete", "clusterrolebinding", "looks"});
    const Run blind = workspace.run(pipeline);
    CHECK(says(blind.message("far"), "cannot list resource \"namespaces\""));
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
