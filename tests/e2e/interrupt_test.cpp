#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/e2e/nginx_server.hpp"

#include <doctest/doctest.h>
#include <signal.h>

using namespace certcast::testing;

namespace {

/// An nginx whose reload tells the test when it begins and then never ends.
struct HangingReload {
    Workspace workspace;
    Announcements announcements{workspace / "announce"};
    Issued old_one = workspace.issue("old");
    Issued new_one = workspace.issue("new");

    std::unique_ptr<NginxServer> server() const {
        install(workspace, "web", old_one);
        return std::make_unique<NginxServer>(workspace, "web",
                                             std::vector<std::string>{"shop.example"});
    }
    /// `before` is run by the shell first and may end it.
    std::string pipeline(const NginxServer& nginx, const std::string& before = {}) const {
        const std::string command =
            before + "echo $$$$ 0 > " + announcements.path().string() + "; exec sleep 1000";
        const std::string reload = Toml::list({"sh", "-c", command});
        return workspace.head({"new"}) + nginx.deployment({.reload = reload});
    }
    void check_old_files(const NginxServer& nginx) const {
        CHECK(read_text(nginx / "shop.example.crt") == pem(old_one.certificate));
        CHECK(read_text(nginx / "shop.example.key") == pem(old_one.key));
    }
};

}  // namespace

TEST_CASE("Ctrl-C in the middle of a deployment rolls it back") {
    const HangingReload site;
    const auto nginx = site.server();
    // Only the first reload hangs, so that the one of the rollback is done.
    const std::string again = "mkdir " + (site.workspace / "again").string() +
                              " || exec nginx -s reload -c " + nginx->config().string() + "; ";
    const auto host = site.workspace.start_run(site.pipeline(*nginx, again));
    const Watch reload({site.announcements.next().process});
    REQUIRE(read_text(*nginx / "shop.example.crt") == pem(site.new_one.certificate));
    host->signal(SIGINT);
    const Run run = site.workspace.collect(*host);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 130);
    CHECK(run.report.at("status") == "interrupted");
    CHECK(run.text("web", "status") == "cancelled");
    CHECK(run.text("web", "rollback") == "done");
    CHECK(run.took < 10s);
    CHECK(reload.all_end_within(0ms));
    CHECK(nginx->reloads() == 1);
    site.check_old_files(*nginx);
    CHECK(nginx->comes_to_serve(sha256_of(site.old_one)));
    wait_for_no_leftovers(5s);
}

TEST_CASE("a second Ctrl-C ends the run at once and says that something is left half-way") {
    const HangingReload site;
    const auto nginx = site.server();
    const auto host = site.workspace.start_run(site.pipeline(*nginx));
    const Watch first_reload({site.announcements.next().process});
    host->signal(SIGINT);
    const Watch reload_of_rollback({site.announcements.next().process});
    host->signal(SIGINT);
    const Run run = site.workspace.collect(*host, "pipeline", 10s);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 130);
    CHECK((run.output + run.errors).find("half-way") != std::string::npos);
    CHECK(run.report.at("status") == "interrupted");
    CHECK(run.text("web", "status") == "cancelled");
    CHECK(run.text("web", "rollback") == "pending");
    CHECK(run.output.find("ROLLBACK PENDING  web") != std::string::npos);
    CHECK(first_reload.all_end_within(0ms));
    CHECK(reload_of_rollback.all_end_within(1s));
    wait_for_no_leftovers(5s);

    const Run after = site.workspace.run(site.workspace.head({"new"}) + nginx->deployment());
    CHECK(after.status == 0);
    CHECK(nginx->comes_to_serve(sha256_of(site.new_one)));
}

TEST_CASE("a lock that is not had in time is exit status 4") {
    const HangingReload site;
    const auto nginx = site.server();
    const auto holder = site.workspace.start_run(site.pipeline(*nginx), {}, "holder");
    site.announcements.next();
    const Run run = site.workspace.run(site.workspace.head({"new"}) + nginx->deployment(),
                                       {"--lock-timeout", "100ms"});
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 4);
    CHECK(run.text("web", "reason") == "lock");
    CHECK(run.took < 5s);
    holder->signal(SIGKILL);
    holder->wait();
    wait_for_no_leftovers(5s);

    const Run after = site.workspace.run(site.workspace.head({"new"}) + nginx->deployment());
    CHECK(after.status == 0);
    CHECK(nginx->comes_to_serve(sha256_of(site.new_one)));
}
