// scheduling COUNT...: how long a scheduler takes for so many deployments whose attempts end at
// once. Prints the largest growth from one count to the next.
#include "core/scheduler/scheduler.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

using namespace certcast;

class AtOnce : public AttemptRunner {
public:
    boost::asio::awaitable<AttemptResult> run(const Deployment&, std::uint32_t, Slot&) override {
        AttemptResult result;
        result.changed = true;
        co_return result;
    }
    boost::asio::awaitable<Result<void>> keep(const Deployment&) override {
        co_return Result<void>();
    }
    boost::asio::awaitable<AttemptResult> conclude(const Deployment&, std::uint32_t, Slot&,
                                                   bool) override {
        co_return AttemptResult();
    }
};

double seconds_for(std::size_t count) {
    Pipeline pipeline;
    pipeline.deployments.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        Deployment& deployment = pipeline.deployments[i];
        deployment.name = "deployment " + std::to_string(i);
        deployment.plugin = "plugin";
        deployment.identities = {"place " + std::to_string(i)};
        // One in ten waits for the one before it.
        if (i % 10 == 9) deployment.needs = {pipeline.deployments[i - 1].name};
    }
    boost::asio::io_context io(1);
    SystemClock clock;
    AtOnce runner;
    RunObserver nobody;
    Scheduler scheduler(io.get_executor(), pipeline, {}, runner, clock, nobody);
    const auto begin = std::chrono::steady_clock::now();
    boost::asio::co_spawn(io, scheduler.run(), [](const std::exception_ptr& thrown, RunReport) {
        if (thrown) std::rethrow_exception(thrown);
    });
    io.run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::size_t> counts;
    for (int i = 1; i < argc; ++i) counts.push_back(std::strtoul(argv[i], nullptr, 10));
    const std::size_t largest = *std::max_element(counts.begin(), counts.end());

    // The fastest of some, taken in turns and each over as many deployments: a machine that is slow
    // for a moment is as slow for each.
    constexpr int rounds = 50;
    std::vector<double> fastest(counts.size(), HUGE_VAL);
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            const std::size_t times = largest / counts[i];
            double seconds = 0;
            for (std::size_t k = 0; k < times; ++k) seconds += seconds_for(counts[i]);
            fastest[i] = std::min(fastest[i], seconds / static_cast<double>(times));
        }
    }
    double growth = 0;
    for (std::size_t i = 1; i < counts.size(); ++i) {
        growth = std::max(growth, fastest[i] / fastest[i - 1]);
    }
    std::printf("%.3f\n", growth);
}
