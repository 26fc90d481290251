#include "core/scheduler/lock_table.hpp"
#include "tests/unit/scheduler_run.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <sys/stat.h>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("deployments with an equal exclusive never overlap, not even in back-off") {
    Run run(pipeline_of({"a", "b", "c", "d"}));
    TemporaryFolder folder;
    SUBCASE("with a folder") {
        run.options.lock_folder = folder.path() / "locks";
    }
    SUBCASE("without one") {}
    run["a"].exclusives = {"x", "y"};
    run["b"].exclusives = {"y", "z"};
    run["c"].exclusives = {"z", "x"};
    run["a"].retry = {.attempts = 2, .backoff = Duration(50'000), .max_backoff = Duration(50'000)};
    Script crash = ends(Ended::crashed);
    crash.result.outcome.failure.retry_after = Duration(30'000);
    run.runner.scripts["a"] = {crash, Script{}};
    const auto start = run.loop.clock().now();
    const RunReport report = run.go();
    CHECK(report.exit_status() == 0);
    CHECK(run.runner.began["d"] == start);
    CHECK(run.runner.began["b"] >= start + Duration(31'000));
    CHECK(run.runner.began["c"] >= start + Duration(31'000));
    CHECK(run.runner.beside["b"].empty());
    CHECK(run.runner.beside["c"].empty());
}

TEST_CASE("deployments with a lock in common never overlap") {
    Run run(pipeline_of({"a", "b", "c"}));
    run["a"].locks = {"rack 1", "rack 2"};
    run["b"].locks = {"rack 2"};
    const RunReport report = run.go();
    CHECK(report.exit_status() == 0);
    CHECK(run.runner.began["b"] >= run.runner.began["a"] + Duration(1'000));
    CHECK(run.runner.began["c"] == run.runner.began["a"]);
}

TEST_CASE("a lock that is free goes to whoever can use it") {
    Run run(pipeline_of({"first", "blocked", "free"}));
    run["first"].exclusives = run["free"].exclusives = {"x"};
    SUBCASE("when the next in turn waits for another lock") {
        run["blocked"].exclusives = {"x", "y"};
        run.pipeline.deployments.push_back(run["first"]);
        Deployment& other = run.pipeline.deployments.back();
        other.name = "other";
        other.exclusives = {"y"};
        run.runner.scripts["other"] = {{.takes = Duration(100'000)}};
    }
    SUBCASE("when the account of the next in turn rests") {
        run["blocked"].exclusives = {"x"};
        run["blocked"].account = "one";
        run.pipeline.deployments.push_back(run["first"]);
        Deployment& busy = run.pipeline.deployments.back();
        busy.name = "busy";
        busy.exclusives.clear();
        busy.account = "one";
        Script later = ends(Ended::failed, Category::remote);
        later.takes = Duration(10);
        later.result.outcome.failure.retry_after = Duration(100'000);
        run.runner.scripts["busy"] = {later};
    }
    const auto start = run.loop.clock().now();
    run.go();
    CHECK(run.runner.began["free"] == start + Duration(1'000));
    CHECK(run.runner.began["blocked"] >= start + Duration(100'000));
}

TEST_CASE("waiting for a lock holds no slot") {
    Run run(pipeline_of({"a", "b", "c"}));
    run.pipeline.max_parallel = 2;
    run["a"].exclusives = run["b"].exclusives = {"x"};
    const auto start = run.loop.clock().now();
    CHECK(run.go().exit_status() == 0);
    CHECK(run.runner.began["c"] == start);
    CHECK(run.runner.began["b"] == start + Duration(1'000));
}

TEST_CASE("five thousand deployments for one lock take their turns") {
    std::vector<std::string> names;
    for (int i = 0; i < 5'000; ++i) names.push_back("d" + std::to_string(i));
    Run run(pipeline_of(names));
    for (Deployment& deployment : run.pipeline.deployments) deployment.exclusives = {"x"};
    CHECK(run.go().exit_status() == 0);
    CHECK(run.runner.most_at_once[""] == 1);
    CHECK(run.runner.started == names);
}

TEST_CASE("a lock that another process holds is waited for") {
    Run run(pipeline_of({"web", "mail"}));
    const TemporaryFolder folder;
    run.options.lock_folder = folder.path() / "run" / "locks";
    run.options.lock_timeout = Duration(10'000);
    run.pipeline.max_parallel = 1;
    run["web"].identities = {"nginx /etc/nginx"};
    LockTable other(run.loop.executor(), run.options.lock_folder);
    HeldLocks held;
    REQUIRE(other.try_take({"identity:nginx /etc/nginx"}, held).value() == LockTable::Taken::all);

    SUBCASE("until the time is over") {
        const RunReport report = run.go();
        CHECK(of(report, "web").status == Status::failed);
        CHECK(of(report, "web").reason == "lock");
        CHECK(of(report, "web").attempts == 0);
        CHECK(of(report, "mail").status == Status::changed);
        CHECK(report.exit_status() == 4);
        CHECK(run.loop.clock().since_start() == Duration(10'000));
        REQUIRE(run.listener.waits.size() == 1);
        CHECK(run.listener.waits[0].deployment == "web");
    }
    SUBCASE("until it is free") {
        run.runner.scripts["mail"] = {{.takes = Duration(4'000)}};
        run.runner.on_start = [&](const std::string& name) {
            if (name == "mail") held.release();
        };
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.started == std::vector<std::string>{"mail", "web"});
    }
    SUBCASE("and afterwards nothing is held") {
        held.release();
        CHECK(run.go().exit_status() == 0);
        CHECK(other.try_take({"identity:nginx /etc/nginx"}, held).value() == LockTable::Taken::all);
    }
    struct stat status {};
    REQUIRE(::stat(run.options.lock_folder.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("locks are had all or not at all") {
    Loop loop;
    const TemporaryFolder folder;
    LockTable one(loop.executor(), folder.path());
    LockTable two(loop.executor(), folder.path());
    HeldLocks held;
    REQUIRE(one.try_take({"exclusive:b"}, held).value() == LockTable::Taken::all);
    HeldLocks none;
    CHECK(two.try_take({"exclusive:a", "exclusive:b"}, none).value() ==
          LockTable::Taken::held_elsewhere);
    HeldLocks first;
    CHECK(one.try_take({"exclusive:a"}, first).value() == LockTable::Taken::all);
}

TEST_CASE("a lock folder that cannot be made fails the deployment and says where") {
    Run run(pipeline_of({"web", "mail"}));
    run["web"].identities = {"x"};  // the other is locked by its own name
    run.options.lock_folder = "/dev/null/locks";
    const RunReport report = run.go();
    CHECK(of(report, "web").reason == "setup_failed");
    CHECK(of(report, "web").error->failure.message.find("/dev/null") != std::string::npos);
    CHECK(of(report, "mail").reason == "setup_failed");
    CHECK(report.exit_status() == 1);
}
