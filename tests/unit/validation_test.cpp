#include "core/scheduler/validation.hpp"
#include "tests/unit/session_fakes.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace certcast;

namespace {

/// Deployments of one plugin, which are validated one after the other.
struct Validating : AttemptBench {
    explicit Validating(std::vector<std::string> names) {
        pipeline.max_parallel = 1;
        for (std::string& name : names) {
            deployment.name = std::move(name);
            pipeline.deployments.push_back(deployment);
        }
    }

    /// "NAME: what was found" of each finding.
    std::vector<std::string> found() {
        std::vector<std::string> texts;
        for (const auto& [of, finding] : loop.run(validate_all(services, pipeline))) {
            texts.push_back(of->name + ": " + in_words(finding));
        }
        return texts;
    }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("validate is run for every deployment that has it, as many at once as allowed") {
    AttemptBench bench;
    bench.pipeline.max_parallel = 2;
    for (const char* name : {"a", "b", "c", "d"}) {
        bench.deployment.name = name;
        bench.pipeline.deployments.push_back(bench.deployment);
    }
    bench.pipeline.deployments[3].disabled = true;
    std::size_t at_once = 0;
    std::size_t most = 0;
    std::size_t number = 0;
    bench.sessions.scripts["nginx validate"] =
        [&](HostCalls& calls, const StageRequest&) -> asio::awaitable<Outcome> {
        const std::size_t mine = number++;
        most = std::max(most, ++at_once);
        co_await bench.loop.clock().sleep_until(bench.loop.clock().now() + Duration(100));
        --at_once;
        if (mine == 0) {
            calls.diagnose({.severity = LogLevel::warning, .path = "key", .summary = "weak"});
        }
        co_return mine == 1 ? ending(Ended::crashed) : Outcome::success(Stage::validate);
    };
    const auto findings = bench.loop.run(validate_all(bench.services, bench.pipeline));
    CHECK(number == 3);
    CHECK(most == 2);
    REQUIRE(findings.size() == 2);
    CHECK(findings[0].deployment->name == "a");
    CHECK(in_words(findings[0].finding) == "key: weak");
    CHECK(findings[1].deployment->name == "b");
    CHECK(findings[1].finding.summary == "its process ended unexpectedly");
}

TEST_CASE("one process validates one after the other, each closed before the next") {
    Validating bench({"a", "b"});
    std::size_t number = 0;
    bench.sessions.on("nginx validate", [&](HostCalls& calls) {
        calls.diagnose({.severity = LogLevel::warning, .summary = std::to_string(++number)});
    });
    CHECK(bench.found() == Texts{"a: 1", "b: 2"});
    CHECK(bench.sessions.diary == Texts{"start nginx", "nginx validate", "nginx close",
                                        "another job for nginx", "nginx validate", "nginx close"});
}

TEST_CASE("a process that may not validate another is not asked to") {
    Validating bench({"a", "b"});
    bench.sessions.takes_more_jobs = false;
    CHECK(bench.found().empty());
    CHECK(bench.sessions.count("start nginx") == 2);
    CHECK(bench.sessions.count("nginx close") == 2);
}

TEST_CASE("what fails in a process that has validated others counts where it is alone in one") {
    Validating bench({"a", "b", "c"});
    const char* stage = "nginx validate";
    SUBCASE("in validate") {}
    SUBCASE("in close") {
        stage = "nginx close";
    }
    std::size_t number = 0;
    bool fails_alone = false;
    bool ends_well = false;
    SUBCASE("by what it says alone") {
        ends_well = true;
    }
    SUBCASE("and there, too") {
        fails_alone = true;
    }
    bench.sessions.scripts[stage] = [&](HostCalls& calls,
                                        const StageRequest&) -> asio::awaitable<Outcome> {
        const std::size_t mine = ++number;
        const bool fails = mine == 2 || (mine == 3 && fails_alone);
        calls.diagnose({.severity = fails && ends_well ? LogLevel::error : LogLevel::warning,
                        .summary = std::to_string(mine)});
        co_return fails && !ends_well ? ending(Ended::crashed) : Outcome::success(Stage::validate);
    };
    const Texts found = bench.found();
    // What was said before the second crashed is nobody's, nor is the process another's.
    const Texts alone = fails_alone ? Texts{"b: 3", "b: its process ended unexpectedly", "c: 4"}
                                    : Texts{"b: 3", "c: 4"};
    CHECK(found.front() == "a: 1");
    CHECK(Texts(found.begin() + 1, found.end()) == alone);
    CHECK(bench.sessions.count("start nginx") == (fails_alone ? 3 : 2));
}

TEST_CASE("who interrupts a validation does not wait for another try") {
    Validating bench({"a", "b"});
    asio::cancellation_signal stop;
    std::size_t number = 0;
    bench.sessions.scripts["nginx validate"] =
        [&](HostCalls&, const StageRequest&) -> asio::awaitable<Outcome> {
        co_await asio::this_coro::throw_if_cancelled(false);
        if (++number == 1) co_return Outcome::success(Stage::validate);
        stop.emit(asio::cancellation_type::terminal);
        co_await bench.loop.clock().sleep_until(bench.loop.clock().now() + Duration(100));
        co_return ending(Ended::crashed);
    };
    bool has_ended = false;
    asio::co_spawn(
        bench.loop.executor(), validate_all(bench.services, bench.pipeline),
        asio::bind_cancellation_slot(
            stop.slot(), [&](const std::exception_ptr&, const std::vector<DeploymentFinding>&) {
                has_ended = true;
            }));
    bench.loop.turn_until([&] { return has_ended; });
    CHECK(number == 2);
    CHECK(bench.sessions.count("start nginx") == 1);
}

TEST_CASE("no stage of a validation gets a secret, its close included") {
    Validating bench({"a"});
    SecretSource& source = bench.pipeline.secrets["fleet"];
    source.kind = SecretSource::Kind::command;
    source.command = {"pass", "show"};
    bench.pipeline.deployments[0].config = {
        .type = ParameterType::secret, .integer = 0, .text = "fleet", .entries = {}};
    std::size_t refused = 0;
    for (const char* stage : {"nginx validate", "nginx close"}) {
        bench.sessions.scripts[stage] = [&](HostCalls& calls,
                                            const StageRequest&) -> asio::awaitable<Outcome> {
            const Result<Secret> secret = co_await calls.secret("fleet", false);
            if (secret.has_error()) ++refused;
            co_return Outcome::success(Stage::validate);
        };
    }
    CHECK(bench.found().empty());
    CHECK(refused == 2);
    CHECK(bench.commands.ran.empty());
}
