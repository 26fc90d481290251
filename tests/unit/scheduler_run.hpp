#pragma once

#include "core/scheduler/scheduler.hpp"
#include "tests/unit/scheduler_fakes.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <stdexcept>

namespace certcast::testing {

using Script = FakeAttemptRunner::Script;

inline Pipeline pipeline_of(const std::vector<std::string>& names) {
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

inline const DeploymentReport& of(const RunReport& report, const std::string& name) {
    const DeploymentReport* found = report.find(name);
    REQUIRE(found != nullptr);
    return *found;
}

inline Script ends(Ended how, Category category = Category::internal) {
    return {.result = FakeAttemptRunner::ended(how, category)};
}

}  // namespace certcast::testing
