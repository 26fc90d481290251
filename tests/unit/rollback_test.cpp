#include "tests/unit/edge_bench.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("a failure after the first step is rolled back in the session that lives") {
    Edge edge;
    Stage failed = Stage::deploy;
    SUBCASE("in deploy") {
        edge.sessions.scripts["nginx deploy"] = record_step(failing(Stage::deploy, "disk full"));
    }
    SUBCASE("in verify") {
        edge.sessions.on(
            "nginx verify", [](HostCalls&) {}, failing(Stage::verify, "disk full"));
        edge.sessions.on("nginx verify recovering", [](HostCalls&) {});
        failed = Stage::verify;
    }
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::failed);
    CHECK(result.outcome.stage == failed);
    CHECK(result.outcome.failure.message == "disk full");
    CHECK(result.rollback == RollbackState::done);
    CHECK(result.serving[0].sha256 == old_hex);
    CHECK(result.serving[0].seen_by == "inspect");
    CHECK(edge.steps().empty());
    CHECK(edge.sessions.count("start nginx") == 1);
    CHECK(edge.sessions.count("nginx rollback recovering") == 1);
    CHECK(edge.sessions.diary.back() == "finish nginx");
}

TEST_CASE("a crash after the first step is rolled back in a fresh session") {
    Edge edge;
    edge.sessions.scripts["nginx deploy"] = record_step(ending(Ended::crashed));
    std::vector<std::string> undone;
    edge.sessions.scripts["nginx rollback"] =
        [&](HostCalls& calls, const StageRequest& request) -> asio::awaitable<Outcome> {
        for (std::size_t i = request.steps->size(); i-- > 0;) {
            undone.emplace_back((*request.steps)[i].undo.text());
            const Result<void> noted = co_await calls.step_undone(i);
            CHECK(noted.has_value());
            CHECK((*request.steps)[i].undone);
        }
        const Result<void> beyond = co_await calls.step_undone(7);
        CHECK(beyond.has_error());
        const Result<void> misplaced = co_await calls.step("more", Secret("x"));
        CHECK(misplaced.has_error());
        co_return Outcome::success(Stage::rollback);
    };
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::crashed);
    CHECK(result.rollback == RollbackState::done);
    CHECK(undone == Diary{"former content"});
    CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "nginx deploy",
                                       "start nginx", "nginx rollback recovering",
                                       "nginx verify recovering", "finish nginx"});
}

TEST_CASE("what is put back together with others keeps its steps until that is decided") {
    Edge edge;
    edge.deployment.waves = std::make_shared<const Waves>(Waves{.puts_back = true});
    edge.sessions.on("nginx verify",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    const AttemptResult held = edge.attempt();
    CHECK(held.outcome.succeeded());
    CHECK(held.is_held);
    CHECK(held.proof == Proof::verify);
    CHECK(edge.sessions.diary.back() == "finish nginx");
    CHECK(edge.sessions.count("nginx settle") == 0);
    REQUIRE(edge.steps().size() == 1);
    edge.sessions.diary.clear();
    SUBCASE("and is settled then") {
        const AttemptResult kept = edge.conclude(true);
        CHECK(kept.outcome.succeeded());
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx settle", "finish nginx"});
    }
    SUBCASE("though that should fail") {
        edge.sessions.refuses_to_start = true;
        const AttemptResult kept = edge.conclude(true);
        CHECK(kept.outcome.succeeded());
        REQUIRE(kept.warnings.size() == 1);
        CHECK(kept.warnings[0].find("no process to be had") != std::string::npos);
    }
    SUBCASE("or rolled back") {
        const AttemptResult undone = edge.conclude(false);
        CHECK(undone.rollback == RollbackState::done);
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx rollback recovering",
                                           "nginx verify recovering", "finish nginx"});
        CHECK(undone.serving[0].sha256 == old_hex);
    }
    CHECK(edge.steps().empty() == !edge.sessions.refuses_to_start);
}

TEST_CASE("what a killed host has proven is cleaned up and never undone") {
    Edge edge;
    const std::string key = memory_key(edge.deployment);
    Step step{.label = "replace", .undo = Secret("x")};
    REQUIRE(edge.loop.run(edge.memory.add_step(edge.deployment, {}, std::move(step))).has_value());
    REQUIRE(edge.loop.run(edge.memory.prove(key)).has_value());
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    SUBCASE("before anything else") {
        CHECK(edge.attempt().outcome.succeeded());
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx settle", "finish nginx",
                                           "start nginx", "nginx inspect", "finish nginx"});
        CHECK(edge.steps().empty());
    }
    SUBCASE("and nothing more when it is told to stop meanwhile") {
        asio::cancellation_signal stop;
        edge.sessions.on("nginx settle",
                         [&](HostCalls&) { stop.emit(asio::cancellation_type::terminal); });
        AttemptResult result;
        asio::co_spawn(edge.loop.executor(), edge.begin(),
                       asio::bind_cancellation_slot(
                           stop.slot(), [&](const std::exception_ptr&, AttemptResult ended) {
                               result = std::move(ended);
                           }));
        edge.loop.settle();
        CHECK(result.outcome.ended == Ended::cancelled);
        CHECK(edge.sessions.count("nginx inspect") == 0);
    }
    SUBCASE("though no process is to be had for that") {
        edge.sessions.refuses_to_start = true;
        const AttemptResult result = edge.attempt();
        CHECK_FALSE(result.outcome.succeeded());
        CHECK(result.rollback == RollbackState::none);
        CHECK(edge.memory.is_proven(key));
    }
    SUBCASE("nor in a dry run that cannot look") {
        edge.services.dry_run = true;
        edge.sessions.on(
            "nginx inspect", [](HostCalls&) {}, failing(Stage::inspect, "no such file"));
        CHECK_FALSE(StagedBench(edge).attempt().outcome.succeeded());
    }
    CHECK(edge.sessions.count("nginx rollback recovering") == 0);
}

TEST_CASE("what changed nothing is not held, whatever becomes of others") {
    Edge edge;
    edge.deployment.waves = std::make_shared<const Waves>(Waves{.puts_back = true});
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    CHECK_FALSE(edge.attempt().is_held);
}

TEST_CASE("a crash before the first step leaves nothing to undo") {
    Edge edge;
    edge.sessions.on(
        "nginx deploy", [](HostCalls&) {}, ending(Ended::crashed));
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::crashed);
    CHECK(result.rollback == RollbackState::none);
    CHECK(edge.sessions.count("nginx rollback recovering") == 0);
}

TEST_CASE("what a failed rollback leaves is undone before anything else is asked") {
    Edge edge;
    edge.sessions.scripts["nginx deploy"] = record_step(ending(Ended::crashed));
    edge.sessions.on(
        "nginx rollback", [](HostCalls&) {}, ending(Ended::crashed));
    const AttemptResult first = edge.attempt();
    CHECK(first.rollback == RollbackState::failed);
    CHECK(edge.steps().size() == 1);

    // The new files are there already, so inspect would call it unchanged; nothing has reloaded.
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    edge.sessions.diary.clear();
    SUBCASE("and then the deployment is tried again") {
        edge.sessions.on("nginx rollback", [&](HostCalls&) {
            edge.sessions.on("nginx inspect",
                             [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
        });
        edge.sessions.scripts["nginx deploy"] = record_step(Outcome::success(Stage::deploy));
        const AttemptResult second = edge.attempt(2);
        CHECK(second.outcome.succeeded());
        CHECK(second.changed);
        CHECK(second.rollback == RollbackState::none);
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx rollback recovering",
                                           "nginx verify recovering", "finish nginx", "start nginx",
                                           "nginx inspect", "nginx deploy", "nginx verify",
                                           "nginx settle", "finish nginx"});
    }
    SUBCASE("and what is seen after the undoing proves nothing of what comes then") {
        edge.sessions.on("nginx rollback", [](HostCalls&) {});
        edge.sessions.on("nginx inspect",
                         [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
        edge.sessions.scripts["nginx deploy"] = record_step(Outcome::success(Stage::deploy));
        edge.sessions.scripts["nginx verify"] =
            [](HostCalls& calls, const StageRequest& request) -> asio::awaitable<Outcome> {
            if (request.flags != 0) (void)calls.live(seen(true, old_leaf));
            co_return Outcome::success(Stage::verify);
        };
        const AttemptResult second = edge.attempt(2);
        CHECK(second.outcome.succeeded());
        CHECK(second.proof == Proof::none);
        CHECK(second.serving[0].sha256.empty());
    }
    SUBCASE("and if that fails again, the attempt goes no further") {
        const AttemptResult second = edge.attempt(2);
        CHECK(second.outcome.ended == Ended::failed);
        CHECK(second.rollback == RollbackState::failed);
        CHECK(edge.sessions.count("nginx inspect") == 0);
        CHECK(edge.sessions.count("nginx rollback recovering") == 1);
        CHECK(edge.steps().size() == 1);
    }
    SUBCASE("and if no session starts, it is said that the steps stand") {
        edge.sessions.refuses_to_start = true;
        const AttemptResult second = edge.attempt(2);
        CHECK(second.rollback == RollbackState::failed);
        CHECK(second.rollback_message == "no process to be had");
        CHECK(edge.steps().size() == 1);
    }
    SUBCASE("and if the next deploy fails too, it is undone too") {
        edge.sessions.on("nginx rollback", [](HostCalls&) {});
        edge.sessions.scripts["nginx deploy"] = record_step(failing(Stage::deploy, "no"));
        edge.sessions.on("nginx inspect",
                         [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
        const AttemptResult second = edge.attempt(2);
        CHECK(second.rollback == RollbackState::done);
        CHECK(edge.sessions.count("nginx rollback recovering") == 2);
        CHECK(edge.steps().empty());
    }
}

TEST_CASE("a rollback that is killed on request is left to the next run") {
    Edge edge;
    edge.sessions.scripts["nginx deploy"] = record_step(ending(Ended::cancelled));
    edge.sessions.on(
        "nginx rollback", [](HostCalls&) {}, ending(Ended::cancelled));
    CHECK(edge.attempt().rollback == RollbackState::pending);
    CHECK(edge.steps().size() == 1);
    edge.sessions.diary.clear();
    CHECK(edge.attempt(2).rollback == RollbackState::pending);
    CHECK(edge.sessions.count("nginx rollback recovering") == 1);
}

TEST_CASE("a deployer that records steps and cannot undo them says so") {
    Edge edge;
    edge.without(Stage::rollback);
    edge.sessions.scripts["nginx deploy"] = record_step(failing(Stage::deploy, "no"));
    const AttemptResult result = edge.attempt();
    CHECK(result.rollback == RollbackState::failed);
    CHECK(result.rollback_message == "the plugin has no rollback");
    CHECK(edge.steps().size() == 1);
}

TEST_CASE("a failed probe is rolled back, and then the former certificate is expected") {
    Edge edge;
    edge.add_probe();
    edge.probe_sees(old_leaf, false, failing(Stage::verify, "127.0.0.1:443 serves the old one"));
    Result<Secret> former = Error{};
    const auto ask_former = [&](HostCalls& calls) {
        MaterialQuery query;
        query.kind = CERTCAST_SHA256;
        query.generation = CERTCAST_FORMER;
        asio::co_spawn(
            edge.loop.executor(), calls.material(std::move(query)),
            [&](std::exception_ptr, Result<Secret> answer) { former = std::move(answer); });
        (void)calls.live(seen(true, old_leaf));
    };
    SUBCASE("which is served") {
        edge.sessions.on("probe verify recovering", ask_former);
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.failure.message == "127.0.0.1:443 serves the old one");
        CHECK(result.rollback == RollbackState::done);
        CHECK(result.proof == Proof::none);
        CHECK(former.value().text() == old_leaf);
        CHECK(result.serving[0].sha256 == old_hex);
        CHECK(result.serving[0].seen_by == "probe");
        CHECK(edge.sessions.diary ==
              Diary{"start nginx", "nginx inspect", "nginx deploy", "nginx verify", "start probe",
                    "probe verify", "nginx rollback recovering", "nginx verify recovering",
                    "start probe", "probe verify recovering", "finish probe", "finish nginx"});
    }
    SUBCASE("which is not served either") {
        edge.sessions.on("probe verify recovering", ask_former,
                         failing(Stage::verify, "nothing listens"));
        const AttemptResult result = edge.attempt();
        CHECK(result.rollback == RollbackState::failed);
        CHECK(result.rollback_message.find("nothing listens") != std::string::npos);
        CHECK(edge.steps().size() == 1);
    }
    SUBCASE("unless there was none") {
        edge.sessions.on("nginx inspect", [](HostCalls& calls) {
            Live absent;
            absent.presence = CERTCAST_ABSENT;
            (void)calls.live(absent);
        });
        const AttemptResult result = edge.attempt();
        CHECK(result.rollback == RollbackState::done);
        CHECK(result.rollback_message.find("not probed") != std::string::npos);
        CHECK(edge.sessions.count("probe verify recovering") == 0);
    }
}

TEST_CASE("an interrupted attempt is rolled back to its end") {
    Edge edge;
    asio::cancellation_signal stop;
    const auto until_stopped = [&](HostCalls& calls,
                                   const StageRequest&) -> asio::awaitable<Outcome> {
        const Result<void> stored = co_await calls.step("replace", Secret("x"));
        CHECK(stored.has_value());
        stop.emit(asio::cancellation_type::terminal);
        const bool slept =
            co_await edge.loop.clock().sleep_until(edge.loop.clock().now() + Duration(9'000));
        co_return slept ? Outcome::success(Stage::deploy) : ending(Ended::cancelled);
    };
    bool rolled_back = false;
    const auto slow_rollback = [&](HostCalls&, const StageRequest&) -> asio::awaitable<Outcome> {
        stop.emit(asio::cancellation_type::terminal);
        rolled_back =
            co_await edge.loop.clock().sleep_until(edge.loop.clock().now() + Duration(4'000));
        co_return rolled_back ? Outcome::success(Stage::rollback) : ending(Ended::cancelled);
    };
    edge.sessions.scripts["nginx rollback"] = slow_rollback;
    bool ended = false;
    AttemptResult result;
    const auto run = [&](std::uint32_t number) {
        ended = false;
        asio::co_spawn(edge.loop.executor(), edge.begin(number),
                       asio::bind_cancellation_slot(
                           stop.slot(), [&](std::exception_ptr escaped, AttemptResult done) {
                               CHECK_FALSE(escaped);
                               result = std::move(done);
                               ended = true;
                           }));
        edge.loop.turn_until([&] { return ended; });
    };
    SUBCASE("in deploy") {
        edge.sessions.scripts["nginx deploy"] = until_stopped;
        run(1);
        CHECK(result.outcome.ended == Ended::cancelled);
    }
    SUBCASE("between two stages, of which none hears of it") {
        edge.sessions.scripts["nginx deploy"] =
            [&](HostCalls& calls, const StageRequest&) -> asio::awaitable<Outcome> {
            const Result<void> stored = co_await calls.step("replace", Secret("x"));
            CHECK(stored.has_value());
            stop.emit(asio::cancellation_type::terminal);
            co_return Outcome::success(Stage::deploy);
        };
        run(1);
        CHECK(result.outcome.ended == Ended::cancelled);
        CHECK(edge.sessions.count("nginx verify") == 0);
    }
    SUBCASE("while it undoes what an earlier one left") {
        Step step{.label = "replace", .undo = Secret("x")};
        const Result<void> stored =
            edge.loop.run(edge.memory.add_step(edge.deployment, {}, std::move(step)));
        REQUIRE(stored.has_value());
        run(2);
        CHECK(result.outcome.ended == Ended::cancelled);
        CHECK(edge.sessions.count("nginx inspect") == 0);
    }
    CHECK(rolled_back);
    CHECK(result.rollback == RollbackState::done);
    CHECK(edge.steps().empty());
}
