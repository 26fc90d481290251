#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/kubernetes_space.hpp"
#include "tests/e2e/nginx_server.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast::testing;

namespace fs = std::filesystem;

namespace {

void fails(const Run& run, const std::vector<std::string>& words) {
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    for (const std::string& word : words) {
        CAPTURE(word);
        CHECK(says(run.message("far"), word));
    }
}

/// The API server behind an nginx, which answers those who patch itself, as long as it is to.
class Front {
public:
    /// `answer`: in the words of its configuration; so is `more`, about what it passes on.
    explicit Front(const std::string& answer, const std::string& more = {})
        : server_(workspace(), prepared(), {"127.0.0.1"},
                  "    access_log " + file("access.log") +
                      ";\n"
                      "    location / {\n"
                      "      default_type text/plain;\n      " +
                      more +
                      "\n"
                      "      set $asked $request_method;\n"
                      "      if (-f " +
                      file("refuses") +
                      ") { set $asked \"refused $request_method\"; }\n"
                      "      if ($asked = \"refused PATCH\") { " +
                      answer +
                      " }\n"
                      "      proxy_pass " +
                      Space::server().url() + ";\n    }\n") {}

    void refuses_no_more() const { fs::remove(file("refuses")); }
    /// How often a request was answered like this: "PATCH 429".
    int answers(const std::string& method, const std::string& status) const {
        int count = 0;
        std::istringstream log(read_text(file("access.log")));
        for (std::string line; std::getline(log, line);) {
            if (says(line, "\"" + method + " ") && says(line, "\" " + status + " ")) ++count;
        }
        return count;
    }
    std::string access() const {
        return "server = \"https://" + server_.address() + "\"\nca_file = \"" +
               Space::server().authority().string() + "\"\ntoken = { file = \"" + file("token") +
               "\" }\n";
    }

private:
    static constexpr const char* name = "front";
    static const Workspace& workspace() { return Space::cluster().workspace; }
    static std::string file(const std::string& in_folder) {
        return (workspace() / name / in_folder).string();
    }
    static std::string prepared() {
        install(workspace(), name, workspace().issue(name, {.names = {"IP:127.0.0.1"}}),
                "127.0.0.1");
        std::ofstream(file("refuses")) << "";
        fs::remove(file("access.log"));
        std::ofstream(file("token")) << "admin-token";
        fs::permissions(file("token"), fs::perms(0600));
        return name;
    }

    NginxServer server_;
};

/// Tries three times.
std::string patient(const std::string& pipeline) {
    return with(pipeline, "probe = false",
                "probe = false\nretry = { attempts = 3, backoff = \"10ms\" }");
}

}  // namespace

TEST_CASE("an overloaded server is given the time that it asks for") {
    if (!cluster_is_there()) return;
    const Space space;
    std::string answer = "too many requests, please try again later";
    SUBCASE("in plain words") {}
    SUBCASE("as a status") {
        answer = R"({"kind": "Status", "message": "too many", "reason": "TooManyRequests"})";
    }
    const Front front("add_header Retry-After 2 always; return 429 '" + answer + "';");
    const Workspace& workspace = Space::cluster().workspace;
    const auto run = workspace.start_run(patient(space.pipeline({}, "newer", front.access())));
    wait_until("it has refused", [&] { return front.answers("PATCH", "429") == 1; });
    front.refuses_no_more();
    const Run ended = workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "status") == "changed");
    CHECK(ended.took >= 2s);
    CHECK(front.answers("PATCH", "429") == 1);
}

TEST_CASE("what was written is read back, also where the server's cache is not as far yet") {
    if (!cluster_is_there()) return;
    const Space space;
    const Front front("return 415;", "if ($arg_resourceVersion) { return 504 \"too large\"; }");
    front.refuses_no_more();
    const Run run = space.run({}, "newer", front.access());
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "changed");
    CHECK(front.answers("GET", "404") == 1);
    CHECK(front.answers("GET", "504") == 1);
    CHECK(front.answers("GET", "200") == 1);
}

TEST_CASE("a server that fails is asked again, and one that does not know a field is not") {
    if (!cluster_is_there()) return;
    const Space space;
    const auto status = [](const std::string& reason) {
        return "return 500 '{\"kind\": \"Status\", \"message\": "
               "\"it went wrong\"" +
               reason + "}';";
    };
    const auto run_behind = [&](const Front& front) {
        return Space::cluster().workspace.run(patient(space.pipeline({}, "newer", front.access())));
    };
    SUBCASE("failing") {
        const Front front(status(", \"reason\": \"InternalError\""));
        fails(run_behind(front), {"it went wrong"});
        CHECK(front.answers("PATCH", "500") == 3);
    }
    SUBCASE("not knowing") {
        const Front front(status(""));
        fails(run_behind(front), {"it went wrong"});
        CHECK(front.answers("PATCH", "500") == 1);
    }
    SUBCASE("what stands before it fails") {
        const Front front("return 502 \"nobody is there\";");
        fails(run_behind(front), {"502", "nobody is there"});
        CHECK(front.answers("PATCH", "502") == 3);
    }
    CHECK_FALSE(space.has_secret());
}

TEST_CASE("who always comes after somebody else gives up, and leaves what is there") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const Front front(R"(return 409 '{"kind": "Status", "message": "it has been modified", )"
                      R"("reason": "Conflict"}';)");
    fails(space.run({}, "newer", front.access()), {"it has been modified"});
    CHECK(front.answers("PATCH", "409") == 5);
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
}

TEST_CASE("where a server has no server-side apply, what was read is replaced") {
    if (!cluster_is_there()) return;
    const Space space;
    const Front front("return 415;");
    const auto run = [&](const std::string& more, const std::string& certificate) {
        return space.run(more, certificate, front.access());
    };
    const Run first = run("labels = { app = \"shop\", old = \"one\" }\n", "former");
    CAPTURE(first.output);
    REQUIRE(first.text("far", "status") == "changed");
    CHECK(front.answers("POST", "201") >= 1);
    space.kubectl({"label", "secret", "shop", "of=theirs"});
    REQUIRE(run("labels = { app = \"shop\" }\n", "newer").text("far", "status") == "changed");
    CHECK(front.answers("PUT", "200") == 1);
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
    // What is theirs stays, and what is not wanted any more goes.
    CHECK(space.kubectl({"get", "secret", "shop", "-o", "jsonpath={.metadata.labels}"}) ==
          R"({"app":"shop","of":"theirs"})");
    CHECK(run("labels = { app = \"shop\" }\n", "newer").text("far", "status") == "unchanged");

    space.kubectl({"patch", "secret", "shop", "--field-manager", "somebody", "-p",
                   R"({"data": {"tls.crt": "c29tZXRoaW5n"}})"});
    fails(run({}, "newer"), {"\"somebody\"", "takeover = true"});
    CHECK(space.entry("tls.crt") == "something");
    CHECK(run("takeover = true\n", "newer").text("far", "status") == "changed");

    // Once the server has it, what was replaced is no other's.
    const Run applied = space.run({}, "former");
    CAPTURE(applied.output);
    CHECK(applied.text("far", "status") == "changed");
}

TEST_CASE(
    "where a server keeps no account of who has written, what certcast wrote is undone all the "
    "same") {
    if (!cluster_is_there()) return;
    const Space space;
    // It has an account, and the answers call it something else.
    const Front front(
        "return 415;",
        "sub_filter_types *; sub_filter_once off; proxy_set_header Accept-Encoding \"\"; "
        "sub_filter '\"managedFields\"' '\"none\"';");
    const auto in_vain = [&](const Space& of, const std::string& more) {
        return unproven(of.pipeline(more, "newer", front.access()));
    };
    const Workspace& workspace = Space::cluster().workspace;
    REQUIRE(space.run({}, "former", front.access()).text("far", "status") == "changed");
    const Run run = workspace.run(in_vain(
        space, "labels = { app = \"shop\" }\nentries = [{ form = \"key\", key = \"more\" }]\n"));
    CAPTURE(run.output);
    CHECK(run.text("far", "status") == "failed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    const std::string left = space.kubectl({"get", "secret", "shop", "-o", "yaml"});
    CAPTURE(left);
    CHECK_FALSE(says(left, "app: shop"));
    CHECK_FALSE(says(left, "more: "));

    // One that was not there before goes, unless others have put something into it.
    const Space other;
    const Run gone = workspace.run(in_vain(other, ""));
    CAPTURE(gone.output);
    CHECK(gone.text("far", "rollback") == "done");
    CHECK_FALSE(other.has_secret());
    const auto waiting = workspace.start_run(with(in_vain(other, ""), "300ms", "60s"));
    wait_until("the secret is there", [&] { return other.has_secret(); });
    other.kubectl({"patch", "secret", "shop", "-p", R"({"data": {"ca.crt": "c29tZXRoaW5n"}})"});
    waiting->signal(SIGINT);
    CHECK(workspace.collect(*waiting).text("far", "rollback") == "failed");
    CHECK(other.entry("ca.crt") == "something");
}

TEST_CASE("who may update and not patch replaces, and what is not proven is undone so") {
    if (!cluster_is_there()) return;
    const Space space;
    space.kubectl(
        {"create", "role", "updates", "--verb=get,create,update,delete", "--resource=secrets"});
    space.kubectl({"create", "rolebinding", "updates", "--role=updates", "--user=limited"});
    const std::string access = Space::as_limited();
    const auto in_vain = [&] {
        return Space::cluster().workspace.run(unproven(space.pipeline({}, "newer", access)));
    };
    CHECK(in_vain().text("far", "rollback") == "done");
    CHECK_FALSE(space.has_secret());
    REQUIRE(space.run({}, "former", access).text("far", "status") == "changed");
    CHECK(in_vain().text("far", "status") == "failed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
    CHECK(space.run({}, "former", access).text("far", "status") == "unchanged");
}

TEST_CASE("what the server refuses is told in its own words") {
    if (!cluster_is_there()) return;
    const Space space;
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
    fails(space.run({}, "newer", as("token: limited-token")),
          {"lacks the verb 'create', 'delete' for secrets"});
    space.kubectl({"create", "role", "deletes", "--verb=delete", "--resource=secrets"});
    space.kubectl({"create", "rolebinding", "deletes", "--role=deletes", "--user=limited"});
    fails(space.run({}, "newer", as("token: limited-token")),
          {"lacks the verb 'create' for secrets"});
    // A secret of another type, which cannot be changed.
    space.kubectl({"create", "secret", "generic", "shop", "--from-literal=a=b"});
    fails(space.run(), {"\"kubectl-create\""});
    fails(space.run("takeover = true\n"), {"type: Invalid value", "immutable"});
    // A namespace that is not there.
    const std::string elsewhere = with(space.pipeline(), "\"" + space.name() + "\"", "\"nowhere\"");
    fails(Space::cluster().workspace.run(elsewhere), {"namespaces \"nowhere\" not found"});
}

TEST_CASE("a secret of somebody who wrote it before there was any account is theirs") {
    if (!cluster_is_there()) return;
    const Space space;
    const Workspace& workspace = Space::cluster().workspace;
    space.kubectl({"create", "secret", "tls", "shop", "--cert", (workspace / "former.pem").string(),
                   "--key", (workspace / "former.key").string()});
    space.kubectl({"patch", "secret", "shop", "--type=json", "-p",
                   R"([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])"});
    fails(space.run(), {"before-first-apply", "takeover = true"});
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
}

TEST_CASE("a secret that is immutable stays as it is") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    space.kubectl({"patch", "secret", "shop", "-p", R"({"immutable": true})"});
    fails(space.run(), {"immutable"});
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("former")));
}

TEST_CASE("a namespace that is going gets no secret, and is asked again") {
    if (!cluster_is_there()) return;
    const Space space;
    space.kubectl({"delete", "namespace", space.name(), "--wait=false"});
    const Run run = Space::cluster().workspace.run(patient(space.pipeline()));
    fails(run, {"being terminated"});
    CHECK(run.number("far", "attempts") == 3);
}

TEST_CASE("a server that is killed in the middle leaves what the next run makes good") {
    if (!cluster_is_there()) return;
    const Space space;
    REQUIRE(space.run({}, "former").text("far", "status") == "changed");
    const Workspace& workspace = Space::cluster().workspace;
    const auto run = workspace.start_run(unproven(space.pipeline(), "60s"));
    wait_until("it is written",
               [&] { return says(space.entry("tls.crt"), Space::cluster().pem("newer")); });
    Space::server().stop(SIGKILL);
    run->signal(SIGINT);
    const Run ended = workspace.collect(*run);
    CAPTURE(ended.output);
    CHECK(ended.text("far", "rollback") == "failed");
    Space::server().start();
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));

    // It is undone first, and then done again; nobody calls it unchanged.
    const Run next = space.run();
    CAPTURE(next.output);
    CHECK(next.text("far", "status") == "changed");
    CHECK(says(space.entry("tls.crt"), Space::cluster().pem("newer")));
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
