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
    std::string pipeline(const NginxServer& nginx) const {
        const std::string command =
            "echo $$$$ 0 > " + announcements.path().string() + "; exec sleep 1000";
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
    const auto host = site.workspace.start_run(site.pipeline(*nginx));
    const Watch reload({site.announcements.next().process});
    REQUIRE(read_text(*nginx / "shop.example.crt") == pem(site.new_one.certificate));
    host->signal(SIGINT);
    const Run run = site.workspace.collect(*host);
    CAPTURE(run.output);
    CAPTURE(run.errors);
    CHECK(run.status == 130);
    CHECK(run.text("web", "status") == "cancelled");
    CHECK(run.text("web", "rollback") != "none");
    CHECK(reload.all_end_within(0ms));
    site.check_old_files(*nginx);
    CHECK(nginx->served() == sha256_of(site.old_one));
    CHECK(leftovers().empty());
}

TEST_CASE("a second Ctrl-C ends the run at once and says what was left undone") {
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
    CHECK((run.output + run.errors).find("rollback") != std::string::npos);
    if (!run.report.empty()) CHECK(run.text("web", "rollback") == "pending");
    CHECK(first_reload.all_end_within(0ms));
    CHECK(reload_of_rollback.all_end_within(1s));
    wait_until(
        "no process is left", [] { return leftovers().empty(); }, 5s);
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
    wait_until(
        "no process is left", [] { return leftovers().empty(); }, 5s);

    const Run after = site.workspace.run(site.workspace.head({"new"}) + nginx->deployment());
    CHECK(after.status == 0);
    CHECK(nginx->served() == sha256_of(site.new_one));
}
