#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_space.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <utility>

using namespace certcast::testing;

namespace fs = std::filesystem;

namespace {

/// A workload of a namespace. There are no controllers here: the tests say what those would.
class Workload {
public:
    Workload(const Space& space, std::string kind, const std::string& spec)
        : space_(space), kind_(std::move(kind)) {
        const fs::path file = Space::cluster().workspace.folder().write(
            "workload.yaml", "apiVersion: apps/v1\nkind: " + name_of_kind() +
                                 "\nmetadata: {name: web}\nspec:\n" + spec +
                                 "  selector: {matchLabels: {app: web}}\n"
                                 "  template:\n    metadata: {labels: {app: web}}\n"
                                 "    spec: {containers: [{name: web, image: web}]}\n");
        space_.kubectl({"apply", "-f", file.string()});
    }

    /// When it was restarted; empty: never.
    std::string restarted() const {
        return field(
            R"({.spec.template.metadata.annotations.kubectl\.kubernetes\.io/restartedAt})");
    }
    /// What its controller says of the present generation, as a JSON object's inside.
    void comes_to(const std::string& status) const {
        const fs::path file = Space::cluster().workspace.folder().write(
            "status.json",
            R"({"apiVersion": "apps/v1", "kind": ")" + name_of_kind() +
                R"(", "metadata": {"name": "web"}, "status": {"observedGeneration": )" +
                field("{.metadata.generation}") + ", " + status + "}}");
        Space::server().kubectl(
            {"replace", "--raw",
             "/apis/apps/v1/namespaces/" + space_.name() + "/" + kind_ + "s/web/status", "-f",
             file.string()});
    }

private:
    std::string field(const std::string& path) const {
        return space_.kubectl({"get", kind_, "web", "-o", "jsonpath=" + path});
    }
    std::string name_of_kind() const {
        if (kind_ == "deployment") return "Deployment";
        return kind_ == "statefulset" ? "StatefulSet" : "DaemonSet";
    }

    const Space& space_;
    std::string kind_;
};

}  // namespace

TEST_CASE("a workload is restarted with a changed secret, and waited for") {
    if (!cluster_is_there()) return;
    std::string kind = "deployment";
    std::string spec = "  replicas: 2\n";
    std::string going =
        R"("replicas": 3, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2)";
    std::string done =
        R"("replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2)";
    std::string missing = "1 of 3 pods are old ones";
    SUBCASE("a deployment") {}
    SUBCASE("a statefulset") {
        kind = "statefulset";
        spec = "  replicas: 2\n  serviceName: web\n";
        going = R"("replicas": 2, "updatedReplicas": 1, "readyReplicas": 2)";
        done = R"("replicas": 2, "updatedReplicas": 2, "readyReplicas": 2)";
        missing = "1 of 2 pods are new";
    }
    SUBCASE("a daemonset") {
        kind = "daemonset";
        spec = "";
        const std::string two =
            R"("currentNumberScheduled": 2, "numberMisscheduled": 0, "numberReady": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, )";
        going = two + R"("numberAvailable": 1)";
        done = two + R"("numberAvailable": 2)";
        missing = "1 of 2 pods are available";
    }
    const Space space;
    const Workload web(space, kind, spec);
    const std::string restart = "restart = [\"" + kind + "/web\"]\n";
    const Workspace& workspace = Space::cluster().workspace;
    const auto run = workspace.start_run(space.pipeline(restart));
    wait_until("it is restarted", [&] { return !web.restarted().empty(); });
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
    web.comes_to(going);
    wait_until("that is seen", [&] { return says(run->output() + run->errors(), missing); });
    web.comes_to(done);
    const Run ended = workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "status") == "changed");

    const std::string when = web.restarted();
    CHECK(space.run(restart).text("far", "status") == "unchanged");
    CHECK(web.restarted() == when);
}

TEST_CASE("a server that is gone for a while ends no rollout") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workload web(space, "deployment", "  replicas: 1\n");
    const Workspace& workspace = Space::cluster().workspace;
    const auto run = workspace.start_run(space.pipeline("restart = [\"deployment/web\"]\n"));
    wait_until("it is restarted", [&] { return !web.restarted().empty(); });
    Space::server().stop(SIGKILL);
    wait_until("that is seen", [&] {
        return says(run->output() + run->errors(),
                    "waiting: the deployment " + space.name() + "/web: GET https://");
    });
    Space::server().start();
    web.comes_to(
        R"("replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1)");
    const Run ended = workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "status") == "changed");
}

TEST_CASE("a workload that goes meanwhile keeps no other from being restarted") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workload web(space, "deployment", "  replicas: 1\n");
    const Workload other(space, "daemonset", "");
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const Workspace& workspace = Space::cluster().workspace;
    const auto run =
        workspace.start_run(space.pipeline("restart = [\"deployment/web\", \"daemonset/web\"]\n"));
    wait_until("both are restarted",
               [&] { return !web.restarted().empty() && !other.restarted().empty(); });
    const std::string before = web.restarted();
    other.comes_to(
        R"("currentNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0, "desiredNumberScheduled": 0)");
    space.kubectl({"delete", "daemonset", "web", "--cascade=background", "--wait=false"});
    web.comes_to(R"("replicas": 1, "conditions": [{"type": "Progressing", "status": "False",)"
                 R"( "reason": "ProgressDeadlineExceeded", "message": "no image"}])");
    const Run ended = workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "status") == "failed");
    CHECK(says(ended.output, "is not there any more"));
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    CHECK(web.restarted() != before);
}

TEST_CASE("what serves something else than the secret holds is restarted, too") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workload web(space, "deployment", "  replicas: 1\n");
    REQUIRE(space.run().text("far", "status") == "changed");
    const std::string pipeline = unproven(space.pipeline("restart = [\"deployment/web\"]\n"));
    const Run run = Space::cluster().workspace.run(
        with(pipeline, "probe = [", "timeouts = { deploy = \"1s\" }\nprobe = ["));
    CAPTURE(run.output);
    CHECK_FALSE(web.restarted().empty());
}

TEST_CASE(
    "a rollout that does not come about has the former secret back, and is restarted once more") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workload web(space, "deployment", "  replicas: 1\n");
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const Workspace& workspace = Space::cluster().workspace;
    std::string first;
    const auto run_until_restarted = [&](const std::string& more) {
        auto run = workspace.start_run(with(space.pipeline("restart = [\"deployment/web\"]\n"),
                                            "probe = false", "probe = false\n" + more));
        wait_until("it is restarted", [&] { return !web.restarted().empty(); });
        first = web.restarted();
        return run;
    };
    const auto came_to = [&](Process& run, const std::string& why) {
        const Run ended = workspace.collect(run);
        CAPTURE(ended.output);
        CHECK(says(ended.message("far"), why));
        CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
        CHECK(web.restarted() != first);
    };
    SUBCASE("its controller gives up") {
        const auto run = run_until_restarted("");
        web.comes_to(
            R"("replicas": 1, "conditions": [{"type": "Progressing", "status": "False",)"
            R"( "reason": "ProgressDeadlineExceeded", "message": "the image is not there"}])");
        came_to(*run, "does not get its new pods: the image is not there");
    }
    SUBCASE("it takes too long") {
        const auto run = run_until_restarted("timeouts = { deploy = \"2s\" }");
        came_to(*run, "was not rolled out in time: its controller has not seen the change");
    }
}

TEST_CASE("what cannot be restarted is found out before anything is changed") {
    if (!cluster_is_there()) return;
    const Space space;
    const auto refused = [&](const Run& run, const std::string& why) {
        CAPTURE(run.output);
        CHECK(run.text("far", "status") == "failed");
        CHECK(says(run.message("far"), why));
        CHECK_FALSE(space.has_secret());
    };
    refused(space.run("restart = [\"deployment/web\"]\n"),
            "the deployment " + space.name() + "/web is not there");
    const Workload paused(space, "deployment", "  paused: true\n");
    refused(space.run("restart = [\"deployment/web\"]\n"), "is paused");
    const Workload asked(space, "daemonset", "  updateStrategy: {type: OnDelete}\n");
    refused(space.run("restart = [\"daemonset/web\"]\n"), "OnDelete");
    {
        const Workload held(space, "statefulset",
                            "  serviceName: web\n  replicas: 1\n"
                            "  updateStrategy: {rollingUpdate: {partition: 1}}\n");
        refused(space.run("restart = [\"statefulset/web\"]\n"), "partition");
        space.kubectl({"delete", "statefulset", "web"});
    }
    const Workload good(space, "statefulset", "  serviceName: web\n");
    space.kubectl(
        {"create", "role", "writes", "--verb=get,create,patch,delete", "--resource=secrets"});
    space.kubectl({"create", "role", "looks", "--verb=get", "--resource=statefulsets.apps"});
    for (const char* role : {"writes", "looks"}) {
        space.kubectl(
            {"create", "rolebinding", role, std::string("--role=") + role, "--user=limited"});
    }
    refused(space.run("restart = [\"statefulset/web\"]\n", "newer", Space::as_limited()),
            "lacks the verb 'patch' for statefulsets");
}
