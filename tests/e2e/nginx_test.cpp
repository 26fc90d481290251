#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <tuple>
#include <vector>

using namespace certcast::testing;

namespace {

/// An nginx that serves an old certificate, and a new one to be put there.
struct Site {
    Workspace workspace;
    Issued old_one = workspace.issue("old");
    Issued new_one = workspace.issue("new");
    std::string old_sha256 = sha256_of(old_one);
    std::string new_sha256 = sha256_of(new_one);

    std::unique_ptr<NginxServer> server(const std::string& name,
                                        std::vector<std::string> hosts = {"shop.example"}) const {
        for (const std::string& host : hosts) install(workspace, name, old_one, host);
        return std::make_unique<NginxServer>(workspace, name, hosts);
    }
    std::string head() const { return workspace.head({"new"}); }
};

/// What changes when a file is written or replaced.
auto stamp_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    return std::tuple(status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                      status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

void check_old_files(const Site& site, const NginxServer& nginx) {
    CHECK(read_text(nginx / "shop.example.crt") == pem(site.old_one.certificate));
    CHECK(read_text(nginx / "shop.example.key") == pem(site.old_one.key));
}

}  // namespace

TEST_CASE("three nginx get the new certificate, and a second run changes nothing") {
    const Site site;
    std::vector<std::unique_ptr<NginxServer>> servers;
    std::string pipeline = site.head();
    for (const char* name : {"web1", "web2", "web3"}) {
        servers.push_back(site.server(name));
        pipeline += servers.back()->deployment();
        REQUIRE(servers.back()->served() == site.old_sha256);
    }
    const Run first = site.workspace.run(pipeline);
    CAPTURE(first.output);
    CAPTURE(first.errors);
    CHECK(first.status == 0);
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const std::string name = "web" + std::to_string(i + 1);
        CAPTURE(name);
        CHECK(first.text(name, "status") == "changed");
        CHECK(first.text(name, "proof") == "probe");
        CHECK(first[name].at("serving").at(0).at("sha256").as_string() == site.new_sha256);
        CHECK(servers[i]->comes_to_serve(site.new_sha256));
        CHECK(servers[i]->reloads() == 1);
    }

    const auto certificate = stamp_of(*servers[0] / "shop.example.crt");
    const auto key = stamp_of(*servers[0] / "shop.example.key");
    const Run second = site.workspace.run(pipeline);
    CAPTURE(second.output);
    CHECK(second.status == 0);
    for (const char* name : {"web1", "web2", "web3"})
        CHECK(second.text(name, "status") == "unchanged");
    CHECK(stamp_of(*servers[0] / "shop.example.crt") == certificate);
    CHECK(stamp_of(*servers[0] / "shop.example.key") == key);
    for (const auto& server : servers) CHECK(server->reloads() == 1);
    CHECK(leftovers().empty());
}

TEST_CASE("files that are right do not hide that the old certificate is still served") {
    const Site site;
    const auto nginx = site.server("web");
    install(site.workspace, "web", site.new_one);  // somebody copied them and did not reload
    const Run run = site.workspace.run(site.head() + nginx->deployment());
    CAPTURE(run.output);
    CHECK(run.text("web", "status") == "changed");
    CHECK(nginx->comes_to_serve(site.new_sha256));
}

TEST_CASE("a configuration that nginx refuses is undone before anyone reloads") {
    const Site site;
    const auto nginx = site.server("web");
    DeploymentWish wish;
    std::string message;
    SUBCASE("it is broken for another reason") {
        const auto broken = site.workspace.folder().write("broken.conf", "nonsense on;\n");
        wish.check = Toml::list({"nginx", "-t", "-c", broken.string()});
        message = "unknown directive \"nonsense\"";
    }
    SUBCASE("the new certificate does not go with the key that nginx reads") {
        site.workspace.folder().link("web/unused.crt", *nginx / "shop.example.crt");
        wish.files = (*nginx / "unused").string();
        message = "key values mismatch";
    }
    const Run run = site.workspace.run(site.head() + nginx->deployment(wish));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 1);
    CHECK(run.text("web", "status") == "failed");
    CHECK(run.message("web").find(message) != std::string::npos);
    CHECK((run.output + run.errors).find(message) != std::string::npos);
    check_old_files(site, *nginx);
    CHECK_FALSE(std::filesystem::exists(*nginx / "unused.key"));
    CHECK(nginx->reloads() == 0);
    CHECK(nginx->served() == site.old_sha256);
    CHECK(leftovers().empty());
}

TEST_CASE("what is not found to be served is rolled back") {
    const Site site;
    const auto nginx = site.server("web");
    const auto other = site.server("other");
    DeploymentWish wish{.patience = "1s"};
    std::string rollback = "done";
    SUBCASE("the plugin looks, and the reload did nothing") {
        wish.reload = "[\"true\"]";
    }
    SUBCASE("the probe looks, and the reload did nothing") {
        wish.reload = "[\"true\"]";
        wish.looked_at_by_plugin = false;
    }
    SUBCASE("the probe asks another server") {
        wish.address = other->address();
        wish.looked_at_by_plugin = false;
    }
    SUBCASE("the probe asks where nothing listens, so nothing can be proven of the former one") {
        wish.address = "127.0.0.1:" + std::to_string(free_port());
        wish.looked_at_by_plugin = false;
        rollback = "failed";
    }
    const Run run = site.workspace.run(site.head() + nginx->deployment(wish));
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 1);
    CHECK((run.text("web", "status") == "failed" || run.text("web", "status") == "timed_out"));
    CHECK(run.text("web", "rollback") == rollback);
    CHECK_FALSE(run.message("web").empty());
    CHECK(run.message("web").find(wish.address) != std::string::npos);
    check_old_files(site, *nginx);
    CHECK(nginx->comes_to_serve(site.old_sha256));
    CHECK(leftovers().empty());
}

TEST_CASE("files that were absent are absent again after rollback") {
    const Site site;
    const auto nginx = site.server("web");
    const DeploymentWish wish{.reload = "[\"true\"]",
                              .files = (*nginx / "fresh").string(),
                              .patience = "1s",
                              .looked_at_by_plugin = false};
    const Run run = site.workspace.run(site.head() + nginx->deployment(wish));
    CAPTURE(run.output);
    CHECK(run.text("web", "status") == "failed");
    CHECK(run.text("web", "rollback") == "done");
    CHECK_FALSE(std::filesystem::exists(*nginx / "fresh.crt"));
    CHECK_FALSE(std::filesystem::exists(*nginx / "fresh.key"));
}

TEST_CASE("two runs at once on one nginx take turns, and what is served is one of both") {
    const Site site;
    const auto nginx = site.server("web");
    const Issued newer = site.workspace.issue("newer");
    const auto one = site.workspace.start_run(site.head() + nginx->deployment(), {}, "one");
    const auto two = site.workspace.start_run(
        site.workspace.head({"newer"}) + nginx->deployment({.certificate = "newer"}), {}, "two");
    const Run first = site.workspace.collect(*one, "one");
    const Run second = site.workspace.collect(*two, "two");
    CAPTURE(first.output);
    CAPTURE(second.output);
    CHECK(first.status == 0);
    CHECK(second.status == 0);
    CHECK(first.text("web", "status") == "changed");
    CHECK(second.text("web", "status") == "changed");
    const bool newer_won = read_text(*nginx / "shop.example.key") == pem(newer.key);
    const Issued& winner = newer_won ? newer : site.new_one;
    CHECK(read_text(*nginx / "shop.example.key") == pem(winner.key));
    CHECK(read_text(*nginx / "shop.example.crt") == pem(winner.certificate));
    CHECK(nginx->comes_to_serve(sha256_of(winner)));
    CHECK(leftovers().empty());
}

TEST_CASE("twenty certificates for one nginx cause one reload") {
    const Site site;
    std::vector<std::string> hosts;
    std::vector<std::string> names;
    std::vector<Issued> issued;
    for (int i = 1; i <= 20; ++i) {
        hosts.push_back("h" + std::to_string(i) + ".example");
        names.push_back("c" + std::to_string(i));
        // For the name of what is there, too, as a guard wants.
        issued.push_back(site.workspace.issue(
            names.back(),
            {.subject = hosts.back(), .names = {"DNS:" + hosts.back(), "DNS:shop.example"}}));
    }
    const auto nginx = site.server("web", hosts);
    std::string pipeline = site.workspace.head(names);
    SUBCASE("of one deployment") {
        std::string files;
        std::string probes;
        for (std::size_t i = 0; i < hosts.size(); ++i) {
            const std::string stem = (*nginx / hosts[i]).string();
            const std::string place =
                "address = \"" + nginx->address() + "\", server_name = \"" + hosts[i] + "\"";
            files += "{ certificate = \"" + names[i] + "\", fullchain = \"" + stem +
                     ".crt\", key = \"" + stem + ".key\", " + place + " },";
            probes += "{ expect = \"" + names[i] + "\", " + place + " },";
        }
        pipeline += Toml()
                        .table("deploy.web")
                        .text("plugin", "nginx")
                        .value("certificates", Toml::list(names))
                        .value("probe", "[" + probes + "]")
                        .table("deploy.web.config")
                        .value("files", "[" + files + "]")
                        .text("config", nginx->config().string())
                        .value("check", nginx->check())
                        .value("reload", nginx->reload());
    }
    SUBCASE("of twenty deployments") {
        for (std::size_t i = 0; i < hosts.size(); ++i)
            pipeline +=
                nginx->deployment({.certificate = names[i], .name = names[i], .host = hosts[i]});
    }
    const Run run = site.workspace.run(pipeline);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 0);
    CHECK(nginx->reloads() == 1);
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        CAPTURE(hosts[i]);
        CHECK(nginx->comes_to_serve(sha256_of(issued[i]), hosts[i]));
    }
}
