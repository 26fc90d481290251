#pragma once

#include "tests/unit/session_fakes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace certcast::testing {

using Diary = std::vector<std::string>;

inline const std::string old_leaf(32, '\x11');
inline const std::string new_leaf(32, '\x22');
inline const std::string old_hex(64, '1');
inline const std::string new_hex(64, '2');

inline FakeSessions::Script record_step(Outcome then) {
    return [then](HostCalls& calls, const StageRequest&) -> asio::awaitable<Outcome> {
        const Result<void> stored = co_await calls.step("replace", Secret("former content"));
        co_return stored.has_error() ? failing(Stage::deploy, stored.error().text()) : then;
    };
}

/// A server that serves the old certificate and has a step undone when it is rolled back.
struct Edge : AttemptBench {
    Edge() {
        sessions.on("nginx inspect",
                    [](HostCalls& calls) { (void)calls.live(seen(false, old_leaf)); });
        sessions.scripts["nginx deploy"] = record_step(Outcome::success(Stage::deploy));
    }
    void probe_sees(const std::string& what, bool as_wanted, Outcome outcome) {
        for (const char* stage : {"probe inspect", "probe verify"}) {
            sessions.on(
                stage,
                [what, as_wanted](HostCalls& calls) { (void)calls.live(seen(as_wanted, what)); },
                outcome);
        }
    }
};

/// Attempts at an edge with the services that it has now.
class StagedBench {
public:
    explicit StagedBench(Edge& edge) : edge_(edge), attempts_(edge.services) {}
    AttemptResult attempt(std::uint32_t number = 1) {
        return edge_.loop.run(attempts_.run(edge_.deployment, number, edge_.runner_slot));
    }

private:
    Edge& edge_;
    StagedAttempts attempts_;
};

}  // namespace certcast::testing
