#include "tests/unit/edge_bench.hpp"

using namespace certcast;
using namespace certcast::testing;

TEST_CASE("a deployment goes through its stages in order and is proven by the probe") {
    Edge edge;
    edge.add_probe();
    edge.probe_sees(new_leaf, true, Outcome::success(Stage::verify));
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.succeeded());
    CHECK(result.changed);
    CHECK(result.proof == Proof::probe);
    CHECK(result.rollback == RollbackState::none);
    REQUIRE(result.serving.size() == 1);
    CHECK(result.serving[0].sha256 == new_hex);
    CHECK(result.serving[0].seen_by == "probe");
    CHECK(edge.steps().empty());
    CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "nginx deploy",
                                       "nginx verify", "start probe", "probe verify",
                                       "finish probe", "nginx settle", "finish nginx"});
    CHECK(edge.listener.stages == Diary{"inspect", "deploy", "verify", "probe", "settle"});
}

TEST_CASE("whether the former certificate came with a staple is not asked") {
    Edge edge;
    edge.add_probe();
    edge.deployment.probes[0].ocsp_staple = true;
    edge.probe_sees(old_leaf, false, failing(Stage::verify, "not served"));
    edge.attempt();
    REQUIRE(edge.sessions.probe_configs.size() >= 2);
    const auto staple = [](const Value& config) {
        return config.find("checks")->entries.at(0).value.find("ocsp_staple")->integer;
    };
    CHECK(staple(edge.sessions.probe_configs.front()) == 1);
    CHECK(staple(edge.sessions.probe_configs.back()) == 0);
}

TEST_CASE("the probe is told what to check") {
    Edge edge;
    edge.deployment.certificates = {"shop", "shop-ecdsa"};
    edge.add_probe();
    edge.add_probe(1);
    edge.deployment.probes[1].timeout = Duration(3'000);
    edge.deployment.probes[1].consecutive = 2;
    edge.attempt();
    REQUIRE(edge.sessions.probe_configs.size() == 1);
    const Value* checks = edge.sessions.probe_configs[0].find("checks");
    REQUIRE(checks != nullptr);
    REQUIRE(checks->entries.size() == 2);
    const Value& second = checks->entries[1].value;
    CHECK(second.find("address")->text == "127.0.0.1:443");
    CHECK(second.find("server_name")->text == "shop.example");
    CHECK(second.find("protocol")->text == "tls");
    CHECK(second.find("certificate")->integer == 1);
    CHECK(second.find("certificate")->text == "shop-ecdsa");
    CHECK(second.find("timeout")->integer == 3'000);
    CHECK(second.find("consecutive")->integer == 2);
    CHECK(*std::max_element(edge.sessions.timeouts.begin(), edge.sessions.timeouts.end()) >=
          Duration(13'000));
}

TEST_CASE("unchanged takes inspect and the probe to agree") {
    Edge edge;
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    SUBCASE("inspect alone, where there is no probe") {
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.succeeded());
        CHECK_FALSE(result.changed);
        CHECK(result.serving[0].sha256 == new_hex);
        CHECK(result.serving[0].seen_by == "inspect");
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "finish nginx"});
    }
    SUBCASE("both agree") {
        edge.add_probe();
        edge.probe_sees(new_leaf, true, Outcome::success(Stage::inspect));
        const AttemptResult result = edge.attempt();
        CHECK_FALSE(result.changed);
        CHECK(result.proof == Proof::probe);
        CHECK(edge.sessions.count("nginx deploy") == 0);
    }
    SUBCASE("the probe sees something else") {
        edge.add_probe();
        edge.probe_sees(old_leaf, false, Outcome::success(Stage::inspect));
        CHECK(edge.attempt().changed);
        CHECK(edge.sessions.count("nginx deploy") == 1);
    }
    SUBCASE("one of several places serves something else") {
        edge.add_probe();
        edge.sessions.on("probe inspect", [](HostCalls& calls) {
            (void)calls.live(seen(false, old_leaf));
            (void)calls.live(seen(true, new_leaf));
        });
        CHECK(edge.attempt().changed);
    }
    SUBCASE("the probe says nothing") {
        edge.add_probe();
        CHECK(edge.attempt().changed);
    }
    SUBCASE("the probe fails") {
        edge.add_probe();
        edge.probe_sees(new_leaf, true, Outcome::success(Stage::inspect));
        edge.sessions.on(
            "probe inspect", [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); },
            ending(Ended::crashed));
        CHECK(edge.attempt().changed);
    }
    SUBCASE("one of two certificates is not as wanted") {
        edge.deployment.certificates = {"shop", "mail"};
        CHECK(edge.attempt().changed);
    }
    SUBCASE("forced") {
        edge.services.force = true;
        StagedAttempts forced(edge.services);
        CHECK(edge.loop.run(forced.run(edge.deployment, 1, edge.runner_slot)).changed);
    }
    SUBCASE("a deployer without inspect never is") {
        edge.without(Stage::inspect);
        CHECK(edge.attempt().changed);
        CHECK(edge.sessions.count("nginx inspect") == 0);
    }
}

TEST_CASE("a failing inspect fails the attempt, and nothing is touched") {
    Edge edge;
    edge.sessions.on(
        "nginx inspect", [](HostCalls&) {}, failing(Stage::inspect, "no access"));
    SUBCASE("by its own word") {}
    SUBCASE("by a finding") {
        edge.sessions.on("nginx inspect", [](HostCalls& calls) {
            calls.diagnose(
                {.severity = LogLevel::error, .path = "files[0]", .summary = "no access"});
        });
    }
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::failed);
    CHECK(result.outcome.failure.message.find("no access") != std::string::npos);
    CHECK(result.rollback == RollbackState::none);
    CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "finish nginx"});
}

TEST_CASE("a deployer says itself whether it changed anything") {
    Edge edge;
    edge.deployment.certificates = {"shop", "mail"};
    bool second = false;
    edge.sessions.on("nginx deploy", [&](HostCalls& calls) {
        CHECK(calls.set_changed(0, false).has_value());
        CHECK(calls.set_changed(1, second).has_value());
        CHECK(calls.set_changed(2, true).has_error());
    });
    CHECK_FALSE(edge.attempt().changed);
    second = true;
    CHECK(edge.attempt().changed);
}

TEST_CASE("a probe that crashes proves nothing") {
    Edge edge;
    edge.add_probe();
    edge.sessions.on(
        "probe verify", [](HostCalls&) {}, ending(Ended::crashed));
    edge.sessions.on("probe verify recovering", [](HostCalls&) {});
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::crashed);
    CHECK(result.outcome.failure.message.find("probe") != std::string::npos);
    CHECK(result.rollback == RollbackState::done);
}

TEST_CASE("a success within the grace goes on to the probe and is marked late") {
    Edge edge;
    edge.add_probe();
    Outcome late = Outcome::success(Stage::deploy);
    late.late = true;
    edge.sessions.scripts["nginx deploy"] = record_step(late);
    SUBCASE("which proves it") {
        edge.probe_sees(new_leaf, true, Outcome::success(Stage::verify));
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.succeeded());
        CHECK(result.outcome.late);
        CHECK(result.changed);
    }
    SUBCASE("which does not") {
        edge.probe_sees(old_leaf, false, failing(Stage::verify, "old"));
        edge.sessions.on("probe verify recovering", [](HostCalls&) {});
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.ended == Ended::failed);
        CHECK(result.rollback == RollbackState::done);
    }
}

TEST_CASE("after the proof nothing is undone") {
    Edge edge;
    SUBCASE("a settle that reports failure is a warning") {
        edge.sessions.on(
            "nginx settle", [](HostCalls&) {}, failing(Stage::settle, "still in use"));
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.succeeded());
        REQUIRE(result.warnings.size() == 1);
        CHECK(result.warnings[0].find("still in use") != std::string::npos);
    }
    SUBCASE("so is one that takes too long, though its process is gone") {
        edge.sessions.on(
            "nginx settle", [](HostCalls&) {}, ending(Ended::timed_out));
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.succeeded());
        CHECK(result.warnings.size() == 1);
        CHECK(edge.sessions.count("finish nginx") == 0);
    }
    SUBCASE("a crash in settle is a crash") {
        edge.sessions.on(
            "nginx settle", [](HostCalls&) {}, ending(Ended::crashed));
        const AttemptResult result = edge.attempt();
        CHECK(result.outcome.ended == Ended::crashed);
        CHECK(result.changed);
    }
    SUBCASE("a crash in close is a crash") {
        edge.sessions.ends_with["nginx"] = ending(Ended::crashed);
        CHECK(edge.attempt().outcome.ended == Ended::crashed);
    }
    CHECK(edge.sessions.count("nginx rollback recovering") == 0);
    CHECK(edge.steps().empty());
}

TEST_CASE("the proof says who gave it") {
    Edge edge;
    SUBCASE("verify") {
        edge.sessions.on("nginx verify",
                         [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
        const AttemptResult result = edge.attempt();
        CHECK(result.proof == Proof::verify);
        CHECK(result.serving[0].sha256 == new_hex);
        CHECK(result.serving[0].seen_by == "verify");
    }
    SUBCASE("nobody, where verify looked at nothing") {
        const AttemptResult result = edge.attempt();
        CHECK(result.proof == Proof::none);
        CHECK(result.serving[0].sha256.empty());
    }
    SUBCASE("nobody, where verify found nothing there") {
        edge.sessions.on("nginx verify", [](HostCalls& calls) { (void)calls.live(Live{}); });
        CHECK(edge.attempt().proof == Proof::none);
    }
    SUBCASE("nobody, where the probe contradicts") {
        edge.add_probe();
        edge.without(Stage::rollback);
        edge.sessions.scripts.erase("nginx deploy");
        edge.sessions.on("nginx verify",
                         [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
        edge.probe_sees(old_leaf, false, failing(Stage::verify, "serves the old one"));
        const AttemptResult result = edge.attempt();
        CHECK(result.proof == Proof::none);
        CHECK(result.outcome.by_probe);
        CHECK(stage_of(result.outcome) == "probe");
        CHECK(result.serving[0].sha256 == old_hex);
        CHECK(result.serving[0].seen_by == "probe");
    }
    SUBCASE("nobody") {
        edge.without(Stage::verify);
        const AttemptResult result = edge.attempt();
        CHECK(result.proof == Proof::none);
        CHECK(result.changed);
        CHECK(result.serving[0].sha256.empty());
    }
}

TEST_CASE("what was seen before a deployer that cannot undo began says nothing any more") {
    Edge edge;
    edge.sessions.scripts.erase("nginx deploy");
    edge.sessions.on(
        "nginx verify", [](HostCalls&) {}, failing(Stage::verify, "something else is there"));
    SUBCASE("of one that can undo and recorded no step, it still does") {
        CHECK(edge.attempt().serving[0].sha256 == old_hex);
    }
    SUBCASE("of the other it does not") {
        edge.without(Stage::rollback);
        CHECK(edge.attempt().serving[0].sha256.empty());
    }
    SUBCASE("not even what the probe saw at first") {
        edge.without(Stage::rollback);
        edge.add_probe();
        edge.sessions.on("nginx inspect",
                         [](HostCalls& calls) { (void)calls.live(seen(true, old_leaf)); });
        edge.probe_sees(old_leaf, false, Outcome::success(Stage::inspect));
        edge.sessions.on(
            "nginx deploy", [](HostCalls&) {}, ending(Ended::crashed));
        CHECK(edge.attempt().serving[0].sha256.empty());
    }
}

TEST_CASE("a slot that was given back is taken again before anything else is done") {
    Edge edge;
    SUBCASE("to undo") {
        edge.sessions.scripts["nginx deploy"] =
            [&](HostCalls& calls, const StageRequest&) -> asio::awaitable<Outcome> {
            const Result<void> stored = co_await calls.step("replace", Secret("x"));
            CHECK(stored.has_value());
            edge.runner_slot.lend();  // as a wait does that is cut short
            co_return ending(Ended::timed_out);
        };
        edge.attempt();
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "nginx deploy",
                                           "slot given back", "slot taken again", "start nginx",
                                           "nginx rollback recovering", "nginx verify recovering",
                                           "finish nginx"});
    }
    SUBCASE("to prove") {
        edge.sessions.on("nginx deploy", [&](HostCalls&) { edge.runner_slot.lend(); });
        edge.attempt();
        CHECK(edge.sessions.diary == Diary{"start nginx", "nginx inspect", "nginx deploy",
                                           "slot given back", "slot taken again", "nginx verify",
                                           "nginx settle", "finish nginx"});
    }
}

TEST_CASE("a session that does not start fails the attempt") {
    Edge edge;
    edge.sessions.refuses_to_start = true;
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::setup_failed);
    CHECK(result.outcome.failure.message == "no process to be had");
}

TEST_CASE("an exception of the host's own is a failure that is rolled back") {
    Edge edge;
    edge.sessions.scripts["nginx deploy"] = [](HostCalls& calls,
                                               const StageRequest&) -> asio::awaitable<Outcome> {
        const Result<void> stored = co_await calls.step("replace", Secret("x"));
        CHECK(stored.has_value());
        throw std::runtime_error("out of luck");
    };
    const AttemptResult result = edge.attempt();
    CHECK(result.outcome.ended == Ended::failed);
    CHECK(result.outcome.failure.message.find("out of luck") != std::string::npos);
    CHECK(result.rollback == RollbackState::done);
}

TEST_CASE("state outlives the deployment's name and is told with its version") {
    Edge edge;
    edge.deployment.identities = {"/etc/nginx"};
    edge.sessions.scripts["nginx deploy"] = [](HostCalls& calls,
                                               const StageRequest&) -> asio::awaitable<Outcome> {
        const Result<void> stored = co_await calls.set_state(Secret("id 7"));
        CHECK(stored.has_value());
        co_return Outcome::success(Stage::deploy);
    };
    edge.attempt();
    edge.deployment.name = "renamed";
    edge.attempt();
    CHECK(edge.sessions.states["nginx"] == "id 7/1.2");
}

TEST_CASE("what cannot be undone and did not come to an end is never declared unchanged") {
    Edge edge;
    edge.without(Stage::rollback);
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
    edge.sessions.on(
        "nginx deploy", [](HostCalls&) {}, failing(Stage::deploy, "half-way"));
    CHECK_FALSE(edge.attempt(1).outcome.succeeded());
    CHECK(edge.memory.is_unsettled(memory_key(edge.deployment)));

    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(true, new_leaf)); });
    std::uint64_t flags = 0;
    edge.sessions.scripts["nginx deploy"] =
        [&flags](HostCalls&, const StageRequest& request) -> asio::awaitable<Outcome> {
        flags = request.flags;
        co_return Outcome::success(Stage::deploy);
    };
    SUBCASE("but deployed again, as if that were forced") {
        CHECK(edge.attempt(2).changed);
        CHECK(flags == CERTCAST_JOB_FORCE);
        CHECK_FALSE(edge.memory.is_unsettled(memory_key(edge.deployment)));
        CHECK_FALSE(edge.attempt(3).changed);
    }
    SUBCASE("which a dry run says") {
        edge.services.dry_run = true;
        const AttemptResult result = StagedBench(edge).attempt();
        CHECK(result.would_change == "an earlier run has left it half-way");
        CHECK(edge.sessions.count("nginx deploy") == 1);
    }
}

TEST_CASE("a dry run looks, tells why it would change what it sees, and changes nothing") {
    Edge edge;
    edge.services.dry_run = true;
    const auto reason = [&edge] { return StagedBench(edge).attempt().would_change; };
    const auto inspected = [&edge](Live live) {
        edge.sessions.on("nginx inspect", [live](HostCalls& calls) { (void)calls.live(live); });
    };
    Live live = seen(false, old_leaf);
    SUBCASE("something else is there") {
        CHECK(reason() == "differs");
    }
    SUBCASE("nothing is there") {
        live.presence = CERTCAST_ABSENT;
        inspected(live);
        CHECK(reason() == "absent");
    }
    SUBCASE("what is there has expired") {
        live.not_after = 1;
        inspected(live);
        CHECK(reason() == "expired");
    }
    SUBCASE("it is not known what is there") {
        live.presence = CERTCAST_PRESENCE_UNKNOWN;
        inspected(live);
        CHECK(reason() == "unknown");
    }
    SUBCASE("the plugin cannot look") {
        edge.without(Stage::inspect);
        CHECK(reason() == "unknown, the plugin cannot inspect");
    }
    SUBCASE("it is in place and not served") {
        inspected(seen(true, new_leaf));
        edge.add_probe();
        edge.probe_sees(old_leaf, false, Outcome::success(Stage::inspect));
        CHECK(reason() == "not served");
    }
    SUBCASE("it is asked for") {
        edge.services.force = true;
        CHECK(reason() == "forced");
    }
    SUBCASE("it is as wanted") {
        inspected(seen(true, new_leaf));
        CHECK(reason().empty());
    }
    CHECK(edge.sessions.count("nginx deploy") == 0);
    CHECK(edge.steps().empty());
}

TEST_CASE("only so many are changed, and one that was granted it keeps it for its next attempt") {
    Edge edge;
    ChangeBudget budget(1);
    edge.services.changes = &budget;
    StagedBench bench(edge);
    edge.sessions.on(
        "nginx verify", [](HostCalls&) {}, failing(Stage::verify, "not yet"));
    CHECK_FALSE(bench.attempt(1).outcome.succeeded());
    edge.sessions.scripts.erase("nginx verify");
    CHECK(bench.attempt(2).changed);
    edge.deployment.name = "other";
    edge.sessions.on("nginx inspect",
                     [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
    const AttemptResult refused = bench.attempt();
    CHECK(refused.would_change == "differs");
    CHECK_FALSE(refused.changed);
}
