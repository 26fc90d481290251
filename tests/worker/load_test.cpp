// A thousand deployments at once, again and again in one process: what is left behind shows.
// CERTCAST_LOAD="DEPLOYMENTS PARALLEL RUNS" chooses another size.
#define DOCTEST_CONFIG_IMPLEMENT
#include "core/cli/harden.hpp"
#include "core/cli/run_context.hpp"
#include "core/scheduler/scheduler.hpp"
#include "core/worker/process_tree.hpp"
#include "core/worker/worker_program.hpp"
#include "tests/worker/workspace.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace certcast;
using namespace certcast::testing;

namespace asio = boost::asio;

namespace {

// From one run to the next it varies by less than 100 kB; 30 bytes lost for each deployment would
// be more than this in the end.
constexpr long most_growth_kb = 1024;

struct Size {
    std::size_t deployments = 5000;
    std::uint32_t parallel = 1000;
    int runs = 10;
};

Size size() {
    Size size;
#ifdef __SANITIZE_ADDRESS__
    size = {500, 100, 3};
#endif
    if (const char* wanted = std::getenv("CERTCAST_LOAD")) {
        std::istringstream(wanted) >> size.deployments >> size.parallel >> size.runs;
    }
    size.parallel = std::min(size.parallel, most_workers());
    return size;
}

/// Deployments of one plugin, and what is to become of each.
struct Share {
    std::string plugin;
    std::size_t of_two_hundred = 0;
    Status status = Status::changed;
    std::string reason;
    std::string settings;  ///< beside the plugin
};

const std::vector<Share> shares = {
    {"test-segv", 20, Status::crashed, "", ""},
    {"test-ignores-cancel", 20, Status::timed_out, "", "timeout = \"1s\"\ngrace = \"100ms\""},
    {"test-floods-stdout", 6, Status::failed, "limit:output", "limits = { output = \"1MiB\" }"},
    {"test-million-logs", 6, Status::failed, "limit:output", "limits = { output = \"1MiB\" }"},
    {"test-floods-calls", 8, Status::failed, "protocol_error", ""},
    {"test-daemon", 4, Status::changed, "", ""},
    {"test-works", 136, Status::changed, "", "config = { milliseconds = 500 }"},
};

/// Counts the attempts that are under way.
class Counting : public RunObserver {
public:
    void attempt_started(const Deployment&, std::uint32_t) override {
        most = std::max(most, ++now_);
    }
    void attempt_finished(const Deployment&, std::uint32_t, const Outcome&) override { --now_; }

    std::uint32_t most = 0;

private:
    std::uint32_t now_ = 0;
};

/// Everything that outlives a run: a pipeline with its plugins described, and where it runs.
class Load {
public:
    explicit Load(const Size& size) : size_(size) {
        std::string text = workspace_.head();
        text += "max_parallel = " + std::to_string(size.parallel) + "\n";
        for (const Share& share : shares) {
            std::string targets;
            for (std::size_t i = 0; i < size.deployments * share.of_two_hundred / 200; ++i) {
                targets += std::to_string(i) + "\n";
            }
            const auto file = workspace_.folder().write(share.plugin + ".txt", targets);
            text += deployment(share.plugin, share.plugin)
                        .value("targets", "{ file = \"" + file.string() + "\" }");
            text += share.settings + "\n";
        }
        file_ = workspace_.folder().write("load.toml", text);
        places_.plugin_folders = {CERTCAST_TEST_PLUGINS};
        places_.lock_folder = workspace_ / "locks";
    }

    RunReport run(Counting& counting) {
        Redactor redactor;
        const TextFilter filter(redactor);
        std::optional<Pipeline> pipeline = read_or_explain(file_, catalog_, filter);
        REQUIRE(pipeline.has_value());
        REQUIRE(pipeline->deployments.size() == size_.deployments);
        // Each kind among all the others.
        std::shuffle(pipeline->deployments.begin(), pipeline->deployments.end(), random_);

        asio::io_context io{1};
        RunContext context(io, places_, *pipeline, redactor);
        RunReport report;
        bool ended = false;
        asio::co_spawn(io, all(io, context, redactor, counting),
                       [&](std::exception_ptr failure, RunReport result) {
                           if (failure) std::rethrow_exception(failure);
                           report = std::move(result);
                           ended = true;
                       });
        while (!ended) io.run_one();
        return report;
    }

private:
    asio::awaitable<RunReport> all(asio::io_context& io, RunContext& context, Redactor& redactor,
                                   Counting& counting) {
        const bool wrong =
            co_await inputs_are_wrong(context, redactor, CertificateStore::Commands::run);
        if (wrong) co_return RunReport();
        StagedAttempts attempts(context.services(counting));
        RunOptions options;
        options.lock_folder = places_.lock_folder;
        options.most_begun = most_workers();
        Scheduler scheduler(io.get_executor(), context.pipeline, std::move(options), attempts,
                            context.clock, counting);
        co_return co_await scheduler.run();
    }

    Size size_;
    Workspace workspace_;
    Places places_ = Places::find();
    std::filesystem::path file_;
    Catalog catalog_{{CERTCAST_TEST_PLUGINS},
                     [this](const std::filesystem::path& library) {
                         return describe_library(places_.worker_program, library, 10);
                     },
                     {}};
    std::mt19937 random_{20261125};
};

/// Deployments that came to something else than they should, and to what.
std::vector<std::string> surprises(const RunReport& report) {
    std::vector<std::string> found;
    for (const DeploymentReport& one : report.deployments) {
        const auto share = std::find_if(shares.begin(), shares.end(), [&](const Share& candidate) {
            return candidate.plugin == one.plugin;
        });
        if (share != shares.end() && one.status == share->status && one.reason == share->reason)
            continue;
        std::string text = one.name + ": " + std::string(name_of(one.status)) + " " + one.reason;
        if (one.error) text += ": " + one.error->failure.message;
        found.push_back(std::move(text));
    }
    return found;
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

long resident_kb() {
    malloc_trim(0);
    long pages = 0;
    std::ifstream("/proc/self/statm") >> pages >> pages;
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

}  // namespace

TEST_CASE("thousands succeed beside those that crash, hang and flood, and leave nothing behind") {
    const Size wanted = size();
    Load load(wanted);
    std::size_t descriptors = 0;
    long resident = 0;
    for (int run = 1; run <= wanted.runs; ++run) {
        CAPTURE(run);
        const auto begun = std::chrono::steady_clock::now();
        {
            Counting counting;
            const RunReport report = load.run(counting);
            CHECK(report.deployments.size() == wanted.deployments);
            const std::vector<std::string> wrong = surprises(report);
            CHECK(wrong.size() == 0);
            for (std::size_t i = 0; i < std::min<std::size_t>(wrong.size(), 10); ++i) {
                FAIL_CHECK(wrong[i]);
            }
            CHECK(counting.most == wanted.parallel);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        CHECK(children().empty());
        CHECK(descendants(getpid()).empty());
        const std::size_t descriptors_now = open_descriptors();
        const long resident_now = resident_kb();
        MESSAGE("run ", run, ": ", took.count(), " s, ", descriptors_now, " descriptors, ",
                resident_now, " kB resident");
        if (run == 1) descriptors = descriptors_now;
        CHECK(descriptors_now == descriptors);
        if (run == 2) resident = resident_now;  // buffers and pools have their size by then
#ifndef __SANITIZE_ADDRESS__                    // which keeps what was freed
        if (run > 2) CHECK(resident_now <= resident + most_growth_kb);
#endif
    }
}

int main(int argc, char** argv) {
    harden_process();  // which raises the limit on open files
#ifdef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 1);  // else it cannot be searched for leaks
#endif
    return doctest::Context(argc, argv).run();
}
