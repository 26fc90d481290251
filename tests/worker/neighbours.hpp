#pragma once

#include "tests/worker/workspace.hpp"

#include <doctest/doctest.h>

#include <string>

namespace certcast::testing {

inline constexpr const char* neighbours[] = {"good1", "good2", "good3", "good4"};

/// Deployments that have nothing to do with the one that misbehaves.
inline std::string with_neighbours(std::string pipeline) {
    for (const char* name : neighbours)
        pipeline += deployment(name, "test-works").value("config", "{ milliseconds = 100 }");
    return pipeline;
}

/// One deployment of `plugin` called "bad", with a deadline of a second, among neighbours.
inline std::string among_neighbours(const Workspace& workspace, const std::string& plugin,
                                    const std::string& config = {},
                                    const std::string& sandbox = "on") {
    std::string text = workspace.head();
    text += Toml().table("defaults.plugin." + plugin).text("sandbox", sandbox);
    text += deployment("bad", plugin).text("timeout", "1s").value("config", "{ " + config + " }");
    return with_neighbours(std::move(text));
}

inline void check_neighbours(const Run& run) {
    for (const std::string name : neighbours) {
        CAPTURE(name);
        CHECK(run.text(name, "status") == "changed");
        CHECK(run.number(name, "duration_ms") < 5000);
    }
}

}  // namespace certcast::testing
