#include "core/scheduler/backoff.hpp"
#include "tests/unit/scheduler_run.hpp"

using namespace certcast;
using namespace certcast::testing;

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

TEST_CASE("no attempt begins when the retry budget is spent") {
    Run run(pipeline_of({"web"}));
    run["web"].retry = {.attempts = 100,
                        .backoff = Duration(0),
                        .max_backoff = Duration(0),
                        .budget = Duration(10'500)};
    run.runner.scripts["web"] = {ends(Ended::crashed)};  // again and again, a second each
    const RunReport report = run.go();
    CHECK(of(report, "web").attempts == 11);
    REQUIRE(of(report, "web").warnings.size() == 1);
    CHECK(of(report, "web").warnings[0].find("retry.budget") != std::string::npos);
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

TEST_CASE(
    "an attempt that could only not undo the one before says nothing new of why that failed") {
    Run run(pipeline_of({"web"}));
    run["web"].retry.attempts = 2;
    Script first = ends(Ended::crashed);
    first.result.rollback = RollbackState::failed;
    first.result.outcome.failure.message = "nothing listens there";
    Script second = ends(Ended::failed);
    second.result.rollback = RollbackState::failed;
    second.result.rollback_message = "still not there";
    second.result.outcome.stage = Stage::rollback;
    run.runner.scripts["web"] = {first, second};
    const RunReport report = run.go();
    CHECK(of(report, "web").status == Status::crashed);
    CHECK(of(report, "web").attempts == 2);
    CHECK(of(report, "web").error->failure.message == "nothing listens there");
    CHECK(of(report, "web").rollback_message == "still not there");
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

TEST_CASE("however many wait, no more are under way than there is room for") {
    Run run(pipeline_of({"a", "b", "c", "d"}));
    run.options.most_begun = 3;
    for (const char* name : {"a", "b", "c", "d"}) {
        run.runner.scripts[name] = {{.gives_slot_back_for = Duration(60'000)}};
    }
    const auto start = run.loop.clock().now();
    CHECK(run.go().exit_status() == 0);
    CHECK(run.runner.began["c"] == start);
    CHECK(run.runner.began["d"] == start + Duration(61'000));
}
