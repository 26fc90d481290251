// scheduling COUNT...: how long a scheduler takes for so many deployments whose attempts end at
// once. Prints the largest growth from one count to the next.
#include "core/scheduler/scheduler.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
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

double fastest_of_some(std::size_t count) {
    double fastest = seconds_for(count);
    for (int i = 0; i < 19; ++i) fastest = std::min(fastest, seconds_for(count));
    return fastest;
}

}  // namespace

int main(int argc, char** argv) {
    double before = 0;
    double growth = 0;
    for (int i = 1; i < argc; ++i) {
        const double now = fastest_of_some(std::strtoul(argv[i], nullptr, 10));
        if (before > 0) growth = std::max(growth, now / before);
        before = now;
    }
    std::printf("%.3f\n", growth);
}
