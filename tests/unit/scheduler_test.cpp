#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "tests/unit/scheduler_run.hpp"

#include <regex>

using namespace certcast;
using namespace certcast::testing;

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

TEST_CASE("a disabled deployment is deferred, and what needs it, too") {
    Run run(pipeline_of({"b", "a"}));
    run["a"].disabled = true;
    run["a"].disabled_reason = "moving house";
    run["b"].needs = {"a"};
    const RunReport report = run.go();
    CHECK(of(report, "a").status == Status::deferred);
    CHECK(of(report, "a").reason == "moving house");
    CHECK(of(report, "b").status == Status::deferred);
    CHECK(of(report, "b").reason == "needs a, which is deferred (moving house)");
    CHECK(report.exit_status() == exit_good);
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
