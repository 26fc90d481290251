#include "tests/unit/scheduler_run.hpp"

#include <algorithm>

using namespace certcast;
using namespace certcast::testing;

namespace {

using Names = std::vector<std::string>;

/// An entry "fleet" with targets "01", "02" and so on, started wave by wave.
struct FleetRun : Run {
    explicit FleetRun(std::size_t count, Waves waves) : Run(fleet_of(count, std::move(waves))) {}

    static Pipeline fleet_of(std::size_t count, Waves waves) {
        Names names;
        for (std::size_t i = 1; i <= count; ++i) names.push_back(name_of(i));
        Pipeline pipeline = pipeline_of(names);
        for (Deployment& deployment : pipeline.deployments) {
            deployment.entry = "fleet";
            deployment.target = deployment.name.substr(6);
            deployment.waves = std::make_shared<const Waves>(waves);
        }
        pipeline.max_parallel = 1'000;
        return pipeline;
    }
    static std::string name_of(std::size_t i) {
        return std::string("fleet/") + (i < 10 ? "0" : "") + std::to_string(i);
    }
    Deployment& add(const std::string& name) {
        Deployment& deployment = pipeline.deployments.emplace_back();
        deployment.name = deployment.entry = name;
        deployment.plugin = "fake";
        deployment.retry = {.attempts = 1};
        return deployment;
    }

    void fails(std::size_t i, Duration after = Duration(1'000)) {
        runner.scripts[name_of(i)] = {ends(Ended::failed)};
        runner.scripts[name_of(i)].front().takes = after;
    }
    /// How many were started with each second that something was.
    std::vector<std::size_t> waves() const {
        std::map<Clock::time_point, std::size_t> at;
        for (const auto& [name, time] : runner.began) ++at[time];
        std::vector<std::size_t> sizes;
        for (const auto& [time, count] : at) sizes.push_back(count);
        return sizes;
    }
};

std::size_t count(const RunReport& report, Status status) {
    return static_cast<std::size_t>(
        std::count_if(report.deployments.begin(), report.deployments.end(),
                      [&](const DeploymentReport& one) { return one.status == status; }));
}

Share percent(std::uint32_t number) {
    return {number, true};
}
Share number(std::uint32_t number) {
    return {number, false};
}

}  // namespace

TEST_CASE("a wave starts when the one before is proven, and after its pause") {
    using Sizes = std::vector<std::size_t>;
    SUBCASE("each tells how many have been started with it") {
        FleetRun run(40, {.sizes = {number(1), percent(10), percent(100)}});
        const RunReport report = run.go();
        CHECK(run.waves() == Sizes{1, 3, 36});
        CHECK(count(report, Status::changed) == 40);
        CHECK(run.loop.clock().since_start() == Duration(3'000));
    }
    SUBCASE("behind the last that is written there is one with all that are left") {
        FleetRun run(10, {.sizes = {number(2), number(5)}});
        run.go();
        CHECK(run.waves() == Sizes{2, 3, 5});
    }
    SUBCASE("there is one at least in each, so a wave that adds nothing is none") {
        FleetRun run(3, {.sizes = {number(1), percent(10), percent(40), percent(100)}});
        run.go();
        CHECK(run.waves() == Sizes{1, 1, 1});
    }
    SUBCASE("more than there are is all") {
        FleetRun run(3, {.sizes = {number(7)}});
        run.go();
        CHECK(run.waves() == Sizes{3});
    }
    SUBCASE("where nothing was changed there is no pause, and the one that there is is told") {
        FleetRun run(3, {.sizes = {number(1), number(2)}, .pause = Duration(60'000)});
        run.runner.scripts["fleet/01"] = {Script{.result = AttemptResult()}};
        run.go();
        CHECK(run.loop.clock().since_start() == Duration(63'000));
        REQUIRE(run.listener.waits.size() == 1);
        CHECK(run.listener.waits[0].deployment == "fleet/03");
        CHECK(run.listener.waits[0].why == "for its wave");
        CHECK(run.listener.waits[0].how_long == Duration(60'000));
    }
    SUBCASE("a pause is between two waves, not behind the last") {
        FleetRun run(3, {.sizes = {number(1), number(2), percent(100)}, .pause = Duration(60'000)});
        CHECK(run.go().exit_status() == 0);
        CHECK(run.loop.clock().since_start() == Duration(123'000));
    }
}

TEST_CASE("with too many failures no more is started, and the rest says why") {
    SUBCASE("none is allowed where nothing is said") {
        FleetRun run(10, {.sizes = {number(2), percent(100)}});
        run.fails(1);
        const RunReport report = run.go();
        CHECK(run.runner.started.size() == 2);
        CHECK(count(report, Status::skipped) == 8);
        CHECK(of(report, "fleet/02").status == Status::changed);
        CHECK(of(report, "fleet/10").reason ==
              "1 of 10 deployments of fleet did not succeed, and max_failures is 0");
        CHECK(report.exit_status() == 1);
    }
    SUBCASE("a share is rounded down") {
        FleetRun run(30, {.sizes = {percent(50), percent(100)}, .max_failures = percent(5)});
        run.fails(1);
        CHECK(count(run.go(), Status::changed) == 29);
        FleetRun another(30, {.sizes = {percent(50), percent(100)}, .max_failures = percent(5)});
        another.fails(1);
        another.fails(2);
        CHECK(count(another.go(), Status::skipped) == 15);
    }
    SUBCASE("what has no slot yet is not started either") {
        FleetRun run(10, {.sizes = {percent(100)}, .max_failures = number(1)});
        run.pipeline.max_parallel = 1;
        run.fails(1);
        run.fails(2);
        const RunReport report = run.go();
        CHECK(run.runner.started.size() == 2);
        CHECK(count(report, Status::skipped) == 8);
    }
    SUBCASE("what needs one that was not started is skipped, too") {
        FleetRun run(3, {.sizes = {number(1), percent(100)}});
        run.add("after").needs = {"fleet/03"};
        run.fails(1);
        CHECK(of(run.go(), "after").status == Status::skipped);
    }
}

TEST_CASE("what a fleet needs and what is switched off goes with its waves") {
    SUBCASE("needs are waited for first") {
        FleetRun run(3, {.sizes = {number(1), percent(100)}});
        run.add("before");
        for (Deployment& one : run.pipeline.deployments) {
            if (one.entry == "fleet") one.needs = {"before"};
        }
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.started.front() == "before");
    }
    SUBCASE("one that needs in vain counts as a failure") {
        FleetRun run(3, {.sizes = {number(1), percent(100)}});
        run.add("before");
        run["fleet/01"].needs = {"before"};
        run.runner.scripts["before"] = {ends(Ended::failed)};
        const RunReport report = run.go();
        CHECK(count(report, Status::skipped) == 3);
    }
    SUBCASE("what has ended before its wave does not open it") {
        FleetRun run(6, {.sizes = {number(1), percent(100)}});
        run.add("off").disabled = true;
        run["fleet/05"].needs = {"off"};
        run.fails(1);
        const RunReport report = run.go();
        CHECK(run.runner.started == Names{"fleet/01"});
        CHECK(of(report, "fleet/05").status == Status::deferred);
    }
    SUBCASE("nor is it waited for there") {
        FleetRun run(6, {.sizes = {number(1), number(3), percent(100)}});
        run.add("off").disabled = true;
        for (const char* name : {"fleet/02", "fleet/03"}) run[name].needs = {"off"};
        const RunReport report = run.go();
        CHECK(count(report, Status::changed) == 4);
    }
    SUBCASE("a disabled one is in no wave") {
        FleetRun run(3, {.sizes = {number(1), percent(100)}});
        run["fleet/01"].disabled = true;
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.started == Names{"fleet/02", "fleet/03"});
    }
    SUBCASE("one that cannot be used fails before its wave") {
        FleetRun run(4, {.sizes = {number(1), percent(100)}, .max_failures = number(1)});
        run["fleet/01"].unusable = "no such library";
        const RunReport report = run.go();
        CHECK(count(report, Status::changed) == 3);
        CHECK(run.waves() == std::vector<std::size_t>{3});
    }
    SUBCASE("what has succeeded in an earlier run counts as proven") {
        FleetRun run(4, {.sizes = {number(2), percent(100)}});
        run.options.done_in = [](const Deployment& one) {
            return one.name < "fleet/04" ? "r1" : "";
        };
        const RunReport report = run.go();
        CHECK(run.runner.started == Names{"fleet/04"});
        CHECK(report.exit_status() == 0);
    }
    SUBCASE("an interrupted pause ends the run") {
        FleetRun run(3, {.sizes = {number(1), percent(100)}, .pause = Duration(3'600'000)});
        run.fails(3);
        bool is_first = true;
        run.runner.on_start = [&](const std::string&) {
            if (!std::exchange(is_first, false)) return;
            asio::co_spawn(
                run.loop.executor(),
                [&]() -> asio::awaitable<void> {
                    co_await run.loop.clock().sleep_until(run.loop.clock().now() +
                                                          Duration(60'000));
                    run.stop();
                },
                [](const std::exception_ptr&) {});
        };
        const RunReport report = run.go();
        CHECK(report.exit_status() == exit_interrupted);
        CHECK(count(report, Status::cancelled) == 2);
        CHECK(run.loop.clock().since_start() == Duration(60'000));
    }
}

TEST_CASE("an entry that is put back together is held until the last of it is proven") {
    const Waves waves{.sizes = {number(2), percent(100)}, .puts_back = true};
    Script held;
    held.result.is_held = true;
    FleetRun run(5, waves);
    for (std::size_t i = 1; i <= 5; ++i) run.runner.scripts[FleetRun::name_of(i)] = {held};
    SUBCASE("then all of it is kept") {
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.conclusions.size() == 5);
        std::sort(run.runner.conclusions.begin(), run.runner.conclusions.end());
        CHECK(run.runner.conclusions.front() == "keep fleet/01");
    }
    SUBCASE("past the failures that it may have, all that was changed is put back") {
        run.fails(4, Duration(500));
        const RunReport report = run.go();
        Names conclusions = run.runner.conclusions;
        std::sort(conclusions.begin(), conclusions.end());
        CHECK(conclusions == Names{"put back fleet/01", "put back fleet/02", "put back fleet/03",
                                   "put back fleet/05"});
        CHECK(of(report, "fleet/01").status == Status::failed);
        CHECK(of(report, "fleet/01").reason == "put back");
        CHECK(of(report, "fleet/01").rollback == RollbackState::done);
        CHECK(of(report, "fleet/01").error->failure.message.find("max_failures is 0") !=
              std::string::npos);
    }
    SUBCASE("what was unchanged stays so") {
        run.runner.scripts["fleet/02"] = {Script{.result = AttemptResult()}};
        run.fails(4);
        const RunReport report = run.go();
        CHECK(of(report, "fleet/02").status == Status::unchanged);
    }
    SUBCASE("an interrupted run keeps what is proven") {
        run.runner.on_start = [&](const std::string& name) {
            if (name == "fleet/03") run.stop();
        };
        run.go();
        std::sort(run.runner.conclusions.begin(), run.runner.conclusions.end());
        CHECK(run.runner.conclusions == Names{"keep fleet/01", "keep fleet/02"});
    }
    SUBCASE("though the run is interrupted when it is too late to stop the last one") {
        run.runner.on_end = [&](const std::string& name) {
            if (name == "fleet/02") run.stop();
        };
        CHECK(run.go().exit_status() == exit_interrupted);
        std::sort(run.runner.conclusions.begin(), run.runner.conclusions.end());
        CHECK(run.runner.conclusions == Names{"keep fleet/01", "keep fleet/02"});
    }
    SUBCASE("though it is interrupted and they share a lock") {
        for (Deployment& one : run.pipeline.deployments) one.locks = {"balancer"};
        run.runner.on_start = [&](const std::string& name) {
            if (name == "fleet/03") run.stop();
        };
        const RunReport report = run.go();
        CHECK(run.runner.conclusions.size() == 2);
        CHECK(run.runner.kept.size() == 2);
        CHECK(of(report, "fleet/01").warnings.empty());
    }
    SUBCASE("a lock that they share is let go meanwhile") {
        for (Deployment& one : run.pipeline.deployments) one.locks = {"balancer"};
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.conclusions.size() == 5);
        CHECK(run.runner.most_at_once[""] == 1);
    }
    SUBCASE("slots and needs do not hold each other up") {
        run.pipeline.max_parallel = 1;
        run.add("after").needs = {"fleet/01"};
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.started.back() == "after");
    }
}

TEST_CASE("a quorum starts what needs it once enough have succeeded") {
    FleetRun run(20, {.sizes = {percent(100)}, .max_failures = percent(100)});
    run.add("after").quorums = {{"fleet", percent(90)}};
    SUBCASE("before the last ones have ended") {
        run.runner.scripts["fleet/20"] = {Script{.takes = Duration(60'000)}};
        CHECK(run.go().exit_status() == 0);
        CHECK(run.runner.began["after"] == run.runner.began["fleet/20"] + Duration(1'000));
    }
    SUBCASE("with as many failures as it allows") {
        run.fails(1);
        run.fails(2);
        CHECK(of(run.go(), "after").status == Status::changed);
    }
    SUBCASE("and with one more it is skipped, as soon as that is known") {
        run.fails(1);
        run.fails(2);
        run.fails(3);
        run.add("later").needs = {"after"};
        const RunReport report = run.go();
        CHECK(of(report, "after").status == Status::skipped);
        CHECK(of(report, "after").reason ==
              "needs 90% of fleet, and too many of them did not succeed");
        CHECK(of(report, "later").status == Status::skipped);
    }
    SUBCASE("and not before that many have succeeded") {
        for (std::size_t i = 1; i <= 3; ++i) run.fails(i, Duration(60'000));
        CHECK(of(run.go(), "after").status == Status::skipped);
    }
    SUBCASE("what is deferred makes it deferred") {
        for (std::size_t i = 1; i <= 3; ++i) run[FleetRun::name_of(i)].disabled = true;
        CHECK(of(run.go(), "after").status == Status::deferred);
    }
    SUBCASE("a number of them is that many") {
        run["after"].quorums = {{"fleet", number(1)}};
        for (std::size_t i = 1; i <= 19; ++i) run.fails(i);
        CHECK(of(run.go(), "after").status == Status::changed);
    }
}

TEST_CASE("an account that cannot be reached is left alone, tried once more, and given up") {
    constexpr std::size_t all = 40;
    FleetRun run(all, {.sizes = {percent(100)}, .max_failures = percent(100)});
    for (Deployment& one : run.pipeline.deployments) {
        one.account = "cdn|key=1";
        one.retry = {.attempts = 3, .backoff = Duration(10), .max_backoff = Duration(60'000)};
    }
    run.pipeline.max_parallel = 4;
    run.add("other");
    run.pipeline.deployments.back().account = "cdn|key=2";
    SUBCASE("those that wait hold no slot, and are not tried in vain") {
        for (std::size_t i = 1; i <= all; ++i) {
            run.runner.scripts[FleetRun::name_of(i)] = {ends(Ended::failed, Category::network)};
        }
        const RunReport report = run.go();
        CHECK(run.runner.started.size() < 12);
        CHECK(of(report, "other").status == Status::changed);
        CHECK(run.runner.began["other"] - Clock::time_point(std::chrono::hours(1)) <
              Duration(60'000));
        const DeploymentReport& last = of(report, "fleet/40");
        CHECK(last.reason == "unreachable");
        CHECK(last.attempts == 0);
        CHECK(last.error->failure.category == Category::network);
        CHECK(last.error->failure.message.find("as scripted") != std::string::npos);
        CHECK(run.loop.clock().since_start() > Duration(60'000));
        CHECK(run.loop.clock().since_start() < Duration(70'000));
    }
    SUBCASE("where the one that goes ahead succeeds all go on") {
        run.pipeline.max_parallel = 5;
        for (std::size_t i = 1; i <= 5; ++i) {
            Script fails = ends(Ended::timed_out);
            fails.result.outcome.stage = Stage::inspect;
            run.runner.scripts[FleetRun::name_of(i)] = {fails, Script{}};
        }
        const RunReport report = run.go();
        CHECK(report.exit_status() == 0);
        CHECK(count(report, Status::changed) == all + 1);
        CHECK(run.loop.clock().since_start() > Duration(60'000));
    }
    SUBCASE("what takes too long when it was reached already is none of the account's") {
        for (std::size_t i = 1; i <= all; ++i) {
            run.runner.scripts[FleetRun::name_of(i)] = {
                i % 2 == 0 ? ends(Ended::timed_out) : ends(Ended::failed, Category::timeout)};
        }
        for (Deployment& one : run.pipeline.deployments) one.retry.attempts = 1;
        run.go();
        CHECK(run.runner.started.size() == all + 1);
    }
    SUBCASE("unless deploying is all that its plugin does") {
        Descriptor only_deploys;
        only_deploys.stages = 1u << static_cast<unsigned>(Stage::deploy);
        for (Deployment& one : run.pipeline.deployments) {
            one.descriptor = &only_deploys;
            one.retry.attempts = 1;
        }
        for (std::size_t i = 1; i <= all; ++i) {
            run.runner.scripts[FleetRun::name_of(i)] = {ends(Ended::timed_out)};
        }
        run.go();
        CHECK(run.runner.started.size() < 12);
    }
    SUBCASE("what was begun before decides nothing") {
        // Four fail at once and a fifth a second later; of two that are still under way then, one
        // fails while the one that goes ahead is at it.
        run.pipeline.max_parallel = 6;
        for (std::size_t i = 1; i <= 6; ++i) {
            Script fails = ends(Ended::failed, Category::network);
            fails.takes = Duration(i < 5 ? 1'000 : i == 5 ? 2'000 : 62'500);
            run.runner.scripts[FleetRun::name_of(i)] = {fails, Script{}};
        }
        Script ahead;
        ahead.takes = Duration(10'000);
        for (std::size_t i = 7; i <= all; ++i) run.runner.scripts[FleetRun::name_of(i)] = {ahead};
        for (Deployment& one : run.pipeline.deployments) one.retry.attempts = 1;
        const RunReport report = run.go();
        CHECK(count(report, Status::changed) == all - 6 + 1);
    }
    SUBCASE("what the host's own probe cannot reach is none of the account's") {
        for (std::size_t i = 1; i <= all; ++i) {
            Script fails = ends(Ended::failed, Category::network);
            fails.result.outcome.by_probe = true;
            run.runner.scripts[FleetRun::name_of(i)] = {fails};
        }
        for (Deployment& one : run.pipeline.deployments) one.retry.attempts = 1;
        run.go();
        CHECK(run.runner.started.size() == all + 1);
    }
    SUBCASE("failures of another kind, and successes between them, are no reason") {
        for (std::size_t i = 1; i <= all; ++i) {
            const Script how = i % 4 == 0 ? ends(Ended::failed, Category::config)
                                          : ends(Ended::failed, Category::network);
            run.runner.scripts[FleetRun::name_of(i)] = {how};
        }
        run.pipeline.max_parallel = 1;
        for (Deployment& one : run.pipeline.deployments) one.retry.attempts = 1;
        run.go();
        CHECK(run.runner.started.size() == all + 1);
    }
}

TEST_CASE("those that are tried apart keep the attempts that they have") {
    Run run(pipeline_of({"a", "b", "c"}));
    const auto shared =
        std::make_shared<SharedFailure>(run.loop.executor(), run.pipeline.deployments.size());
    Script together = ends(Ended::failed, Category::network);
    together.result.shared_failure = shared;
    together.result.reload_failed = true;
    for (Deployment& one : run.pipeline.deployments) {
        one.retry = {.attempts = 2, .backoff = Duration(10), .max_backoff = Duration(10)};
        run.runner.scripts[one.name] = {together, Script{}};
    }
    SUBCASE("an error that has nothing to do with it is tried again as always") {
        run.runner.scripts["a"] = {together, ends(Ended::failed, Category::network), Script{}};
        const RunReport report = run.go();
        CHECK(report.exit_status() == 0);
        CHECK(of(report, "a").attempts == 3);
    }
    SUBCASE("what breaks the reload alone is not") {
        Script alone = ends(Ended::failed, Category::network);
        alone.result.reload_failed = true;
        run.runner.scripts["a"] = {together, alone, Script{}};
        const RunReport report = run.go();
        CHECK(of(report, "a").status == Status::failed);
        CHECK(of(report, "b").status == Status::changed);
        CHECK(of(report, "c").status == Status::changed);
    }
    SUBCASE("nor is anything when the time for it is over") {
        for (Deployment& one : run.pipeline.deployments) one.retry.budget = Duration(500);
        CHECK(run.go().exit_status() == 1);
        CHECK(run.runner.started.size() == 3);
    }
    SUBCASE("one that has succeeded after all is not waited for") {
        Script recovered;
        recovered.result.shared_failure = shared;
        run.runner.scripts["b"] = {recovered};
        run.runner.scripts["c"] = {recovered};
        CHECK(run.go().exit_status() == 0);
    }
}
