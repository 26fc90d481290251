#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "core/scheduler/scheduler.hpp"

#include "core/scheduler/backoff.hpp"
#include "core/scheduler/lock_table.hpp"
#include "tests/unit/scheduler_fakes.hpp"
#include "tests/unit/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <regex>

using namespace certcast;
using certcast::testing::TemporaryFolder;
using Script = FakeAttemptRunner::Script;

namespace {

Pipeline pipeline_of(const std::vector<std::string>& names) {
    Pipeline pipeline;
    pipeline.name = "test";
    for (const std::string& name : names) {
        Deployment& deployment = pipeline.deployments.emplace_back();
        deployment.name = name;
        deployment.plugin = "fake";
        deployment.retry = {.attempts = 1};
    }
    return pipeline;
}

/// One run on fakes.
struct Run {
    explicit Run(Pipeline what) : pipeline(std::move(what)), runner(loop.clock()) {
        options.seed = 7;
    }

    Deployment& operator[](const std::string& name) {
        for (Deployment& deployment : pipeline.deployments) {
            if (deployment.name == name) return deployment;
        }
        throw std::out_of_range(name);
    }

    RunReport go() {
        Scheduler scheduler(loop.executor(), pipeline, options, runner, loop.clock(), listener);
        stop = [&scheduler] { scheduler.stop(); };
        return loop.run(scheduler.run());
    }

    Loop loop;
    Pipeline pipeline;
    RunOptions options;
    FakeAttemptRunner runner;
    Listener listener;
    std::function<void()> stop;
};

const DeploymentReport& of(const RunReport& report, const std::string& name) {
    const DeploymentReport* found = report.find(name);
    REQUIRE(found != nullptr);
    return *found;
}

Script ends(Ended how, Category category = Category::internal) {
    return {.result = FakeAttemptRunner::ended(how, category)};
}

}  // namespace

TEST_CASE("a crash in one deployment leaves the others alone") {
    Run run(pipeline_of({"web", "mail"}));
    run.runner.scripts["web"] = {ends(Ended::crashed)};
    const RunReport report = run.go();
    CHECK(of(report, "web").status == Status::crashed);
    CHECK(of(report, "mail").status == Status::changed);
    CHECK(report.exit_status() == 1);
    CHECK(report.status() == "failed");
    CHECK(std::regex_match(report.run, std::regex("[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}")));
}

TEST_CASE("an exception in one attempt stays in its deployment") {
    Run run(pipeline_of({"web", "mail"}));
    run["web"].exclusives = run["mail"].exclusives = {"the same"};
    run.runner.scripts["web"] = {{.throws = true}};
    const RunReport report = run.go();
    CHECK(of(report, "web").status == Status::failed);
    REQUIRE(of(report, "web").error);
    CHECK(of(report, "web").error->failure.category == Category::internal);
    CHECK(of(report, "web").error->failure.message.find("the runner is broken") !=
          std::string::npos);
    CHECK(of(report, "mail").status == Status::changed);
}

TEST_CASE("how an attempt ended decides the status and the reason") {
    struct Row {
        Ended ended;
        Status status;
        std::string reason;
    };
    const std::vector<Row> rows = {
        {Ended::failed, Status::failed, "failed"},
        {Ended::protocol_error, Status::failed, "protocol_error"},
        {Ended::setup_failed, Status::failed, "setup_failed"},
        {Ended::limit, Status::failed, "limit:memory"},
        {Ended::timed_out, Status::timed_out, ""},
        {Ended::crashed, Status::crashed, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(name_of(row.ended));
        Run run(pipeline_of({"web"}));
        Script script = ends(row.ended);
        script.result.outcome.limit = "memory";
        run.runner.scripts["web"] = {script};
        const RunReport report = run.go();
        CHECK(of(report, "web").status == row.status);
        CHECK(of(report, "web").reason == row.reason);
    }
}

TEST_CASE("the exit status tells good runs, locks, failures and interruptions apart") {
    const auto with = [](std::vector<std::pair<Status, std::string>> ends) {
        RunReport report;
        for (auto& [status, reason] : ends) {
            DeploymentReport& one = report.deployments.emplace_back();
            one.status = status;
            one.reason = reason;
        }
        return report;
    };
    CHECK(with({{Status::changed, ""}, {Status::unchanged, ""}, {Status::deferred, ""}})
              .exit_status() == 0);
    CHECK(with({{Status::changed, ""}, {Status::failed, "lock"}}).exit_status() == 4);
    CHECK(with({{Status::failed, "lock"}, {Status::skipped, "needs it"}}).exit_status() == 4);
    CHECK(with({{Status::failed, "lock"}, {Status::crashed, ""}}).exit_status() == 1);
    CHECK(with({{Status::skipped, "needs what is disabled"}}).exit_status() == 1);
    RunReport interrupted = with({{Status::changed, ""}});
    interrupted.interrupted = true;
    CHECK(interrupted.exit_status() == 130);
    CHECK(interrupted.status() == "interrupted");
}

TEST_CASE("a deployment starts when everything that it needs has succeeded") {
    Run run(pipeline_of({"last", "left", "right", "first"}));
    run["left"].needs = run["right"].needs = {"first"};
    run["last"].needs = {"left", "right"};
    run.runner.scripts["right"] = {{.takes = Duration(9'000)}};
    const RunReport report = run.go();
    CHECK(report.exit_status() == 0);
    CHECK(run.runner.started == std::vector<std::string>{"first", "left", "right", "last"});
    CHECK(run.runner.beside["last"].empty());
}

TEST_CASE("what needs a failure is skipped and says why") {
    Run run(pipeline_of({"a", "b", "c", "d"}));
    run["b"].needs = {"a"};
    run["c"].needs = {"b", "d"};
    run.runner.scripts["a"] = {ends(Ended::timed_out)};
    const RunReport report = run.go();
    CHECK(of(report, "b").status == Status::skipped);
    CHECK(of(report, "b").reason == "needs a, which is timed_out");
    CHECK(of(report, "c").status == Status::skipped);
    CHECK(of(report, "c").reason == "needs b, which is skipped");
    CHECK(of(report, "d").status == Status::changed);
    CHECK(run.listener.finished.size() == 4);
}

TEST_CASE("a disabled deployment is deferred, and what needs it is skipped") {
    Run run(pipeline_of({"b", "a"}));
    run["a"].disabled = true;
    run["a"].disabled_reason = "moving house";
    run["b"].needs = {"a"};
    const RunReport report = run.go();
    CHECK(of(report, "a").status == Status::deferred);
    CHECK(of(report, "a").reason == "moving house");
    CHECK(of(report, "b").status == Status::skipped);
    CHECK(of(report, "b").reason == "needs a, which is deferred (moving house)");
    CHECK(run.runner.started.empty());
}

TEST_CASE("needs in a circle end the run and not the patience") {
    Run run(pipeline_of({"a", "b", "c"}));
    run["a"].needs = {"b"};
    run["b"].needs = {"a"};
    const RunReport report = run.go();
    CHECK(of(report, "a").status == Status::skipped);
    CHECK(of(report, "b").status == Status::skipped);
    CHECK(of(report, "c").status == Status::changed);
}

TEST_CASE("a long chain of needs neither recurses nor waits") {
    std::vector<std::string> names;
    for (int i = 0; i < 5'000; ++i) names.push_back(std::to_string(i));
    Run run(pipeline_of(names));
    for (std::size_t i = 1; i < names.size(); ++i) {
        run.pipeline.deployments[i].needs = {names[i - 1]};
    }
    SUBCASE("that succeeds") {
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.started.size() == 5'000);
    }
    SUBCASE("that fails at once") {
        run.runner.scripts["0"] = {ends(Ended::failed)};
        CHECK(run.go().exit_status() == 1);
        CHECK(run.runner.started.size() == 1);
    }
}

TEST_CASE("the certificate that expires soonest goes first, then the order of the file") {
    Run run(pipeline_of({"a", "b", "c", "d"}));
    run.pipeline.max_parallel = 1;
    run.options.expiry = [](const Deployment& deployment) {
        const int day = deployment.name == "c" ? 1 : deployment.name == "a" ? 9 : 5;
        return std::chrono::system_clock::time_point(std::chrono::hours(24 * day));
    };
    run.go();
    CHECK(run.runner.started == std::vector<std::string>{"c", "b", "d", "a"});
}

TEST_CASE("limits hold in all, per plugin and by the plugin's own word") {
    std::vector<std::string> names;
    for (int i = 0; i < 40; ++i) names.push_back("d" + std::to_string(i));
    Run run(pipeline_of(names));
    run.pipeline.max_parallel = 10;
    Descriptor own;
    own.max_parallel = 2;
    for (std::size_t i = 0; i < names.size(); ++i) {
        Deployment& deployment = run.pipeline.deployments[i];
        deployment.plugin = i % 4 == 0 ? "ssh" : i % 4 == 1 ? "shy" : "nginx";
        if (deployment.plugin == "shy") deployment.descriptor = &own;
        run.runner.scripts[deployment.name] = {{.takes = Duration(100 + 7 * (i % 5))}};
    }
    run.pipeline.plugin_limits["ssh"] = 3;
    run.pipeline.plugin_limits["shy"] = 5;
    SUBCASE("ten in all") {
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.most_at_once[""] == 10);
        CHECK(run.runner.most_at_once["ssh"] == 3);
    }
    SUBCASE("six in all") {
        run.pipeline.max_parallel = 6;
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.most_at_once[""] == 6);
    }
    CHECK(run.runner.most_at_once["ssh"] <= 3);
    CHECK(run.runner.most_at_once["shy"] == 2);
    CHECK(run.runner.started.size() == 40);
}

TEST_CASE(
    "what a plugin allows at once counts for each account, what the operator allows for all") {
    std::vector<std::string> names;
    for (int i = 0; i < 30; ++i) names.push_back("d" + std::to_string(i));
    Run run(pipeline_of(names));
    Descriptor cloud;
    cloud.max_parallel = 2;
    for (std::size_t i = 0; i < names.size(); ++i) {
        Deployment& deployment = run.pipeline.deployments[i];
        deployment.plugin = "cloud";
        deployment.descriptor = &cloud;
        deployment.account = i % 3 == 0   ? "cloud|key=a"
                             : i % 3 == 1 ? "cloud|key=b"
                                          : "cloud|key=c";
        run.runner.scripts[deployment.name] = {{.takes = Duration(100 + 7 * (i % 5))}};
    }
    SUBCASE("nothing") {
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.most_at_once["cloud"] == 6);
    }
    SUBCASE("less") {
        run.pipeline.plugin_limits["cloud"] = 5;
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.most_at_once["cloud"] == 5);
    }
    for (const std::string& name : names) {
        const std::string& account = run[name].account;
        const auto same = [&](const std::string& other) { return run[other].account == account; };
        const auto& others = run.runner.beside[name];
        CHECK(std::count_if(others.begin(), others.end(), same) < 2);
    }
}

TEST_CASE("what may pass is tried again, and nothing else") {
    struct Row {
        Outcome outcome;
        std::size_t attempts;
    };
    const auto failed = [](Category category, Retry retry) {
        Outcome outcome = Outcome::of(Ended::failed, Stage::deploy, category, "no");
        outcome.failure.retry = retry;
        return outcome;
    };
    const auto ended = [](Ended how) {
        return Outcome::of(how, Stage::deploy, Category::internal, "no");
    };
    const std::vector<Row> rows = {
        {failed(Category::network, Retry::by_category), 3},
        {failed(Category::timeout, Retry::by_category), 3},
        {failed(Category::conflict, Retry::by_category), 3},
        {failed(Category::config, Retry::by_category), 1},
        {failed(Category::auth, Retry::by_category), 1},
        {failed(Category::internal, Retry::by_category), 1},
        {failed(Category::network, Retry::never), 1},
        {failed(Category::config, Retry::later), 3},
        {ended(Ended::crashed), 3},
        {ended(Ended::timed_out), 3},
        {ended(Ended::cancelled), 1},
        {ended(Ended::protocol_error), 1},
        {ended(Ended::limit), 1},
    };
    for (const Row& row : rows) {
        CAPTURE(name_of(row.outcome.ended));
        CAPTURE(name_of(row.outcome.failure.category));
        Run run(pipeline_of({"web"}));
        run["web"].retry.attempts = 3;
        Script script;
        script.result.changed = false;
        script.result.outcome = row.outcome;
        run.runner.scripts["web"] = {script};
        const RunReport report = run.go();
        CHECK(run.runner.started.size() == row.attempts);
        CHECK(of(report, "web").attempts == row.attempts);
    }
}

TEST_CASE("a success after failures is a success") {
    Run run(pipeline_of({"web"}));
    run["web"].retry.attempts = 3;
    Script undone = ends(Ended::crashed);
    undone.result.rollback = RollbackState::done;
    run.runner.scripts["web"] = {undone, Script{}};
    const RunReport report = run.go();
    CHECK(of(report, "web").status == Status::changed);
    CHECK(of(report, "web").attempts == 2);
    CHECK(of(report, "web").rollback == RollbackState::none);
    CHECK(report.exit_status() == 0);
}

TEST_CASE("what a crashed attempt had changed and proven stays changed") {
    Run run(pipeline_of({"web"}));
    run["web"].retry.attempts = 3;
    Script proven = ends(Ended::crashed);
    proven.result.changed = true;
    Script unchanged;
    unchanged.result.changed = false;
    run.runner.scripts["web"] = {proven, unchanged};
    CHECK(of(run.go(), "web").status == Status::changed);
}

TEST_CASE("an attempt that ended before it did anything keeps what became of the one before") {
    Run run(pipeline_of({"web"}));
    run["web"].retry.attempts = 2;
    Script stuck = ends(Ended::crashed);
    stuck.result.rollback = RollbackState::failed;
    stuck.result.rollback_message = "no way back";
    run.runner.scripts["web"] = {stuck, ends(Ended::failed)};
    const RunReport report = run.go();
    CHECK(of(report, "web").rollback == RollbackState::failed);
    CHECK(of(report, "web").rollback_message == "no way back");
}

TEST_CASE("the pauses between attempts are random below a ceiling that doubles") {
    std::mt19937_64 random(1);
    const RetryPolicy policy{.attempts = 9, .backoff = Duration(100), .max_backoff = Duration(500)};
    for (std::uint32_t attempt = 1; attempt < 90; ++attempt) {
        const Duration ceiling =
            std::min(Duration(500), Duration(100 << std::min(attempt - 1, 8u)));
        Duration longest{0};
        Duration shortest = ceiling;
        for (int i = 0; i < 300; ++i) {
            const Duration pause = backoff(policy, attempt, std::nullopt, random);
            longest = std::max(longest, pause);
            shortest = std::min(shortest, pause);
        }
        CHECK(longest <= ceiling);
        CHECK(longest > ceiling * 9 / 10);
        CHECK(shortest < ceiling / 10);
    }
    CHECK(backoff(policy, 1, Duration(9'000), random) == Duration(9'000));
    const RetryPolicy none{.attempts = 3, .backoff = Duration(0), .max_backoff = Duration(0)};
    CHECK(backoff(none, 2, std::nullopt, random) == Duration(0));
}

TEST_CASE("equal seeds give equal pauses") {
    const auto pauses = [] {
        Run run(pipeline_of({"web"}));
        run["web"].retry.attempts = 5;
        run.runner.scripts["web"] = {ends(Ended::crashed)};
        run.go();
        std::vector<Duration> all;
        for (const Listener::Wait& wait : run.listener.waits) all.push_back(wait.how_long);
        return all;
    };
    CHECK(pauses().size() == 4);
    CHECK(pauses() == pauses());
}

TEST_CASE("retry-after is waited for by everybody of the account and nobody else") {
    Run run(pipeline_of({"a", "b", "c"}));
    run.pipeline.max_parallel = 1;
    run["a"].account = run["b"].account = "one";
    run["c"].account = "two";
    run["a"].retry.attempts = 2;
    Script busy = ends(Ended::failed, Category::remote);
    busy.result.outcome.failure.retry = Retry::later;
    busy.result.outcome.failure.retry_after = Duration(60'000);
    run.runner.scripts["a"] = {busy, Script{}};
    const auto start = run.loop.clock().now();
    const RunReport report = run.go();
    CHECK(report.exit_status() == 0);
    CHECK(run.runner.began["a"] >= start + Duration(61'000));
    CHECK(run.runner.began["b"] >= start + Duration(61'000));
    CHECK(run.runner.began["c"] == start + Duration(1'000));
}

TEST_CASE("a retry-after that nobody would wait for ends the deployment") {
    Run run(pipeline_of({"a"}));
    run["a"].retry.attempts = 3;
    Script busy = ends(Ended::failed, Category::network);
    busy.result.outcome.failure.retry_after = Duration(std::chrono::hours(24 * 365));
    run.runner.scripts["a"] = {busy};
    const RunReport report = run.go();
    CHECK(of(report, "a").attempts == 1);
    CHECK(of(report, "a").warnings.size() == 1);
}

TEST_CASE("whoever waits gives the slot to others") {
    Run run(pipeline_of({"reboots", "quick"}));
    run.pipeline.max_parallel = 1;
    SUBCASE("in the middle of an attempt") {
        run.runner.scripts["reboots"] = {{.gives_slot_back_for = Duration(60'000)}};
    }
    SUBCASE("before another attempt") {
        run["reboots"].retry.attempts = 2;
        Script again = ends(Ended::crashed);
        again.result.outcome.failure.retry_after = Duration(60'000);
        run.runner.scripts["reboots"] = {again, Script{}};
    }
    const auto start = run.loop.clock().now();
    CHECK(run.go().exit_status() == 0);
    CHECK(run.runner.began["quick"] == start + Duration(1'000));
    CHECK(run.loop.clock().since_start() >= Duration(61'000));
    CHECK(run.runner.most_at_once[""] == 1);
}

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
    run["web"].identities = {"x"};
    run.options.lock_folder = "/dev/null/locks";
    const RunReport report = run.go();
    CHECK(of(report, "web").reason == "setup_failed");
    CHECK(of(report, "web").error->failure.message.find("/dev/null") != std::string::npos);
    CHECK(of(report, "mail").status == Status::changed);
    CHECK(report.exit_status() == 1);
}

TEST_CASE("an interrupted run stops what runs, starts nothing more and reports it all") {
    Run run(pipeline_of({"running", "queued", "dependent", "locked", "done", "retried", "rests"}));
    run["dependent"].needs = {"queued"};
    run["running"].exclusives = run["locked"].exclusives = {"x"};
    run["retried"].retry = {.attempts = 5};
    Script again = ends(Ended::crashed);
    again.takes = Duration(500);
    again.result.outcome.failure.retry_after = Duration(60'000);
    run.runner.scripts["retried"] = {again};
    run["retried"].account = run["rests"].account = "one";
    run["rests"].needs = {"done"};
    run.runner.scripts["done"] = {{.takes = Duration(700)}};
    run.runner.scripts["running"] = {{.takes = Duration(9'000'000)}};
    run.pipeline.max_parallel = 3;
    run.runner.scripts["queued"] = {{.takes = Duration(9'000'000)}};
    run.pipeline.deployments.push_back(run["queued"]);
    run.pipeline.deployments.back().name = "stopper";
    run.runner.on_start = [&](const std::string& name) {
        if (name == "stopper") run.stop();
    };
    const RunReport report = run.go();
    CHECK(of(report, "done").status == Status::changed);
    CHECK(of(report, "running").status == Status::cancelled);
    CHECK(of(report, "running").rollback == RollbackState::done);
    CHECK(of(report, "retried").status == Status::crashed);
    for (const char* name : {"queued", "dependent", "locked", "rests", "stopper"}) {
        CAPTURE(name);
        CHECK(of(report, name).status == Status::cancelled);
        CHECK(of(report, name).reason == "interrupted");
    }
    CHECK(report.interrupted);
    CHECK(report.exit_status() == 130);
    CHECK(run.loop.clock().since_start() < Duration(5'000));
    CHECK(run.listener.finished.size() == 8);
}

TEST_CASE("a run that was stopped before it began does nothing") {
    Run run(pipeline_of({"a", "b"}));
    Scheduler scheduler(run.loop.executor(), run.pipeline, run.options, run.runner,
                        run.loop.clock(), run.listener);
    scheduler.stop();
    const RunReport report = run.loop.run(scheduler.run());
    CHECK(of(report, "a").status == Status::cancelled);
    CHECK(run.runner.started.empty());
    CHECK(report.exit_status() == 130);
}

TEST_CASE("an empty pipeline is a good run") {
    Run run(pipeline_of({}));
    CHECK(run.go().exit_status() == 0);
}
