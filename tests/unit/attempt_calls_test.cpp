#include "core/scheduler/attempt_calls.hpp"

#include "core/worker/call_wire.hpp"
#include "core/worker/worker_host.hpp"
#include "tests/unit/session_fakes.hpp"
#include "tests/unit/temporary_folder.hpp"
#include "tests/unit/test_authority.hpp"

#include <doctest/doctest.h>

using namespace certcast;
using namespace certcast::testing;

namespace {

Value value_of(ParameterType type, std::string text) {
    Value value;
    value.type = type;
    value.text = std::move(text);
    return value;
}

Value command_of(const std::vector<std::string>& argv) {
    Value value;
    value.type = ParameterType::command;
    for (const std::string& word : argv) {
        value.entries.push_back({{}, value_of(ParameterType::text, word)});
    }
    return value;
}

/// Calls of one attempt at a stage of the test's choosing.
struct Calls : AttemptBench {
    Calls() {
        SecretSource& source = pipeline.secrets["fleet"];
        source.kind = SecretSource::Kind::command;
        source.command = {"pass", "show"};
        deployment.target = "web1";
        deployment.config.entries = {
            {"check", command_of({"nginx", "-t"})},
            {"reload", command_of({"nginx", "-s", "reload"})},
            {"login", value_of(ParameterType::object, "")},
            {"path", value_of(ParameterType::path, "/etc")},
        };
        deployment.config.entries[2].value.entries.emplace_back(
            "password", value_of(ParameterType::secret, "fleet"));
        auto bundle = load_text(fullchain() + pem(ca().leaf.key));
        certificates.add("shop", std::move(bundle.value()));
        at(Stage::deploy);
    }
    void at(Stage stage) { calls.begin(stage, loop.clock().now() + Duration(10'000)); }

    Result<Secret> material(std::uint32_t kind, std::uint32_t generation = CERTCAST_CURRENT,
                            std::uint64_t certificate = 0) {
        MaterialQuery query;
        query.kind = kind;
        query.generation = generation;
        query.certificate = certificate;
        return loop.run(calls.material(std::move(query)));
    }

    AttemptCalls calls{services, deployment, nginx, AttemptCalls::Role::deployer, 1, &runner_slot};
};

template <typename T>
ErrorCode code_of(const Result<T>& result) {
    REQUIRE(result.has_error());
    return result.error().code;
}

}  // namespace

TEST_CASE("a deployer gets the secrets of its own configuration and no others") {
    Calls bench;
    bench.pipeline.secrets["other"] = bench.pipeline.secrets["fleet"];
    bench.commands.output = "hunter22\n";
    CHECK(bench.loop.run(bench.calls.secret("fleet", false)).value().text() == "hunter22");
    CHECK(code_of(bench.loop.run(bench.calls.secret("other", false))) == ErrorCode::denied);
    CHECK(code_of(bench.loop.run(bench.calls.secret("/etc", false))) == ErrorCode::denied);
    bench.at(Stage::validate);
    CHECK(bench.loop.run(bench.calls.secret("fleet", false)).has_error());
    CHECK(bench.commands.ran.size() == 1);
}

TEST_CASE("private keys go only to those who declare that they need them") {
    Calls bench;
    CHECK(bench.material(CERTCAST_FULLCHAIN_PEM).value().text() == fullchain());
    for (const std::uint32_t kind : {CERTCAST_KEY_PEM, CERTCAST_KEY_DER, CERTCAST_PKCS12}) {
        CAPTURE(kind);
        bench.at(Stage::deploy);
        bench.nginx.needs = 0;
        CHECK(code_of(bench.material(kind)) == ErrorCode::denied);
        bench.nginx.needs = CERTCAST_NEEDS_KEY;
        CHECK(bench.material(kind).has_value());
        bench.at(Stage::validate);
        CHECK(bench.material(kind).has_error());
    }
    CHECK(code_of(bench.material(CERTCAST_LEAF_PEM, CERTCAST_CURRENT, 1)) == ErrorCode::invalid);
    CHECK(code_of(bench.material(CERTCAST_LEAF_PEM, 7)) == ErrorCode::invalid);
    CHECK(bench.material(999).has_error());
}

TEST_CASE("of the former certificate there is as much as inspect has seen") {
    Calls bench;
    CHECK(code_of(bench.material(CERTCAST_SHA256, CERTCAST_FORMER)) == ErrorCode::not_found);
    bench.at(Stage::inspect);
    REQUIRE(bench.calls.live(seen(false, std::string(32, 'x'))).has_value());
    CHECK(bench.material(CERTCAST_SHA256, CERTCAST_FORMER).value().text() == std::string(32, 'x'));
    CHECK(code_of(bench.material(CERTCAST_LEAF_PEM, CERTCAST_FORMER)) == ErrorCode::not_found);

    Live whole = seen(false, der(ca().older.certificate));
    whole.evidence_kind = CERTCAST_EVIDENCE_DER;
    REQUIRE(bench.calls.live(whole).has_value());
    CHECK(bench.material(CERTCAST_LEAF_PEM, CERTCAST_FORMER).value().text() ==
          pem(ca().older.certificate));
    CHECK(bench.material(CERTCAST_KEY_PEM, CERTCAST_FORMER).has_error());
}

TEST_CASE("what a plugin says of a certificate has to make sense") {
    Calls bench;
    CHECK(bench.calls.live(seen(false, std::string(32, 'x'))).has_error());
    bench.at(Stage::inspect);
    CHECK(bench.calls.live(seen(false, std::string(31, 'x'))).has_error());
    CHECK(bench.calls.live(seen(false, std::string(32, 'x'), 1)).has_error());
    Live odd = seen(false, std::string(32, 'x'));
    odd.presence = 3;
    CHECK(bench.calls.live(odd).has_error());
    odd = seen(false, std::string(1024 * 1024, 'x'));
    odd.evidence_kind = CERTCAST_EVIDENCE_DER;
    CHECK(bench.calls.live(odd).has_error());
    CHECK(bench.calls.facts().inspected.empty());
}

TEST_CASE("steps are recorded in deploy and settle, and not without end") {
    Calls bench;
    const auto step = [&](std::size_t size) {
        return bench.loop.run(bench.calls.step("replace", Secret(std::string(size, 'x'))));
    };
    for (const Stage stage : {Stage::validate, Stage::inspect, Stage::verify, Stage::rollback}) {
        bench.at(stage);
        CHECK(code_of(step(1)) == ErrorCode::invalid);
    }
    bench.at(Stage::deploy);
    CHECK(step(16 * 1024 * 1024).has_value());
    CHECK(step(16 * 1024 * 1024 + 1).has_error());
    for (int i = 1; i < 3; ++i) CHECK(step(16 * 1024 * 1024).has_value());
    CHECK(step(16 * 1024 * 1024).has_error());  // all of them go into one frame
    bench.at(Stage::settle);
    for (int i = 3; i < 1'000; ++i) REQUIRE(step(1).has_value());
    CHECK(step(1).has_error());
    CHECK(bench.loop.run(bench.calls.set_state(Secret(std::string(1024 * 1024, 'x')))).has_value());
    CHECK(bench.loop.run(bench.calls.set_state(Secret(std::string(1024 * 1024 + 1, 'x'))))
              .has_error());
}

TEST_CASE("a command is the operator's, with the deployment and the variables around it") {
    Calls bench;
    bench.commands.status = 1;
    bench.commands.output = "nginx: [emerg] no such file\nnginx: test failed\n";
    const auto ran =
        bench.loop.run(bench.calls.run_command("check", {{"FILE_1", "/etc/nginx/a.crt"}}));
    CHECK(ran.value().status == 1);
    CHECK(bench.commands.ran == std::vector<std::vector<std::string>>{{"nginx", "-t"}});
    CHECK(bench.commands.environments[0] == std::vector<std::pair<std::string, std::string>>{
                                                {"CERTCAST_DEPLOYMENT", "edge"},
                                                {"CERTCAST_TARGET", "web1"},
                                                {"CERTCAST_FILE_1", "/etc/nginx/a.crt"}});
    CHECK(bench.commands.timeouts[0] == Duration(10'000));
    REQUIRE(bench.listener.lines.size() == 2);
    CHECK(bench.listener.lines[0].level == LogLevel::debug);
    CHECK(bench.listener.lines[1].message == "nginx: test failed");

    const auto refused = [&](const std::string& param, const std::string& name,
                             const std::string& value) {
        return bench.loop.run(bench.calls.run_command(param, {{name, value}})).has_error();
    };
    CHECK(refused("chek", "A", "b"));
    CHECK(refused("path", "A", "b"));
    CHECK(refused("check", "", "b"));
    CHECK(refused("check", "a", "b"));
    CHECK(refused("check", "A=B", "b"));
    CHECK(refused("check", "TARGET", "b"));
    CHECK(refused("check", "A", std::string("b\0c", 3)));
    bench.at(Stage::validate);
    CHECK(refused("check", "A", "b"));
    bench.at(Stage::inspect);
    bench.services.dry_run = true;
    CHECK(refused("check", "A", "b"));
    CHECK(bench.commands.ran.size() == 1);
}

TEST_CASE("a command gets what is left of the stage's time, and nothing after it") {
    Calls bench;
    bench.loop.run(bench.loop.clock().sleep_until(bench.loop.clock().now() + Duration(4'000)));
    CHECK(bench.loop.run(bench.calls.run_command("check", {})).has_value());
    CHECK(bench.commands.timeouts[0] == Duration(6'000));
    bench.loop.run(bench.loop.clock().sleep_until(bench.loop.clock().now() + Duration(9'000)));
    CHECK(code_of(bench.loop.run(bench.calls.run_command("check", {}))) == ErrorCode::cancelled);
}

TEST_CASE("a wait gives the slot back, keeps it short and takes it again") {
    Calls bench;
    CHECK(bench.loop.run(bench.calls.wait(Duration(3'000), "rebooting")).has_value());
    CHECK(bench.loop.clock().since_start() == Duration(3'000));
    CHECK(bench.sessions.diary == std::vector<std::string>{"slot given back", "slot taken again"});
    REQUIRE(bench.listener.waits.size() == 1);
    CHECK(bench.listener.waits[0].why == "rebooting");
    bench.loop.run(bench.calls.wait(Duration::max(), "for ever"));
    CHECK(bench.loop.clock().since_start() == Duration(15'000));
}

TEST_CASE("the probe may look and say what it saw, and nothing else") {
    Calls bench;
    AttemptCalls probe(bench.services, bench.deployment, bench.probe, AttemptCalls::Role::probe, 1,
                       nullptr);
    probe.begin(Stage::verify, bench.loop.clock().now() + Duration(1'000));
    CHECK(probe.live(seen(true, std::string(32, 'x'))).has_value());
    CHECK(bench.loop.run(probe.secret("fleet", false)).has_error());
    CHECK(bench.loop.run(probe.step("x", Secret("y"))).has_error());
    CHECK(bench.loop.run(probe.run_command("check", {})).has_error());
    CHECK(bench.loop.run(probe.set_state(Secret("y"))).has_error());
    CHECK(bench.loop.run(probe.wait(Duration(1), "x")).has_error());
}

TEST_CASE("what a plugin can pile up is bounded") {
    Calls bench;
    for (int i = 0; i < 5'000; ++i) bench.calls.output("id", "7");
    CHECK(bench.calls.facts().outputs.size() == 1'000);
    bench.at(Stage::inspect);
    for (int i = 0; i < 5'000; ++i) bench.calls.diagnose({});
    CHECK(bench.calls.facts().findings.size() == 1'000);
}

TEST_CASE("a call that is malformed or of no known type is a violation") {
    AttemptBench bench;
    AttemptCalls calls(bench.services, bench.deployment, bench.nginx, AttemptCalls::Role::deployer,
                       1, nullptr);
    calls.begin(Stage::deploy, bench.loop.clock().now() + Duration(1'000));
    const auto answer = [&](FrameType type, std::string_view payload) {
        Call call;
        call.type = type;
        call.payload = Secret(payload);
        return bench.loop.run(answer_call(std::move(call), calls));
    };
    for (const FrameType type :
         {FrameType::secret, FrameType::material, FrameType::step, FrameType::step_undone,
          FrameType::set_state, FrameType::wait, FrameType::run_command, FrameType::request_reload,
          FrameType::find, FrameType::spawn, static_cast<FrameType>(12345)}) {
        CAPTURE(static_cast<int>(type));
        CHECK(answer(type, "").error().code == ErrorCode::protocol);
        CHECK(answer(type, std::string(100, '\xff')).error().code == ErrorCode::protocol);
    }
    const auto tell = [&](FrameType type, std::string_view payload) {
        Frame frame;
        frame.type = type;
        frame.payload = std::as_bytes(std::span(payload));
        return take_told(frame, calls);
    };
    for (const FrameType type : {FrameType::live, FrameType::diagnose, FrameType::set_changed,
                                 FrameType::output, FrameType::keep}) {
        CAPTURE(static_cast<int>(type));
        CHECK(tell(type, "")->error().code == ErrorCode::protocol);
        CHECK(tell(type, std::string(100, '\xff'))->error().code == ErrorCode::protocol);
    }
    CHECK_FALSE(tell(FrameType::secret, "").has_value());
}

TEST_CASE(
    "a deployer shares with its account what it has found out, from its first real stage on") {
    Calls bench;
    bench.deployment.account = "nginx|fleet";
    const auto begun = [&bench](AttemptCalls::Role role, Stage stage) {
        auto calls = std::make_unique<AttemptCalls>(bench.services, bench.deployment, bench.nginx,
                                                    role, 1, &bench.runner_slot);
        calls->begin(stage, bench.loop.clock().now() + Duration(10'000));
        return calls;
    };
    const auto find = [&bench](AttemptCalls& calls) {
        const Duration patience(3'000);
        const auto found = bench.loop.run(calls.find("login", Secret(), patience));
        return found.has_value() ? std::string(found->text()) : "";
    };
    const auto first = begun(AttemptCalls::Role::deployer, Stage::inspect);
    CHECK(code_of(bench.loop.run(first->find("login", Secret(), Duration(3'000)))) ==
          ErrorCode::not_found);
    first->end();  // so that nobody waits for it
    first->begin(Stage::deploy, bench.loop.clock().now() + Duration(10'000));
    const auto second = begun(AttemptCalls::Role::deployer, Stage::inspect);
    CHECK(find(*second).empty());
    CHECK(bench.loop.clock().since_start() == Duration(0));
    second->keep("login", Secret("token"), Duration(60'000));
    CHECK(find(*first) == "token");

    CHECK(find(*begun(AttemptCalls::Role::probe, Stage::inspect)).empty());
    const auto validating = begun(AttemptCalls::Role::deployer, Stage::validate);
    CHECK(code_of(bench.loop.run(validating->find("login", Secret(), Duration(0)))) ==
          ErrorCode::invalid);
    validating->keep("login", Secret("forged"), Duration(60'000));
    CHECK(find(*first) == "token");
}

TEST_CASE("a program that cannot be started fails what asked for it, and nothing else") {
    AttemptBench bench;
    const TemporaryFolder folder;
    const Library library{.path = "/lib/none.so", .deployers = {bench.nginx}};
    bench.deployment.library = &library;
    AttemptCalls calls(bench.services, bench.deployment, bench.nginx, AttemptCalls::Role::deployer,
                       1, nullptr);
    WorkerHost host(bench.loop.executor(), "/nowhere/certcast-worker", folder / "work");
    for (int i = 0; i < 2; ++i) {
        const auto session = bench.loop.run(host.start(request_for(bench.deployment, 1), calls));
        REQUIRE(session.has_error());
        CHECK(session.error().text().find("/nowhere/certcast-worker") != std::string::npos);
    }
    host.kill_all();
    CHECK(bench.loop.run(host.start(request_for(bench.deployment, 1), calls)).error().code ==
          ErrorCode::cancelled);
}
