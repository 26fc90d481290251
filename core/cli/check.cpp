#include "core/cli/commands.hpp"
#include "core/cli/run_context.hpp"
#include "core/scheduler/validation.hpp"

#include <boost/asio/co_spawn.hpp>

#include <iostream>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Reads the certificates that need no secret's command and lets the plugins look at their
/// configuration. True: something is wrong.
asio::awaitable<bool> look(RunContext& context, AttemptServices services, const Pipeline& pipeline,
                           Redactor& redactor) {
    const TextFilter filter(redactor);
    const auto problems = co_await context.certificates.load(
        pipeline, context.secrets, redactor, BundleRules{}, CertificateStore::Commands::leave_out);
    bool wrong = print_diagnostics(problems, filter);
    const auto findings = co_await validate_all(services, pipeline);
    for (const auto& [deployment, finding] : findings) {
        const bool error = finding.severity == LogLevel::error;
        wrong = wrong || error;
        std::cerr << deployment->location.text() << ": " << (error ? "error: " : "warning: ")
                  << filter.line(deployment->name + ": " + in_words(finding)) << '\n';
    }
    co_return wrong;
}

}  // namespace

int check_command(const std::filesystem::path& file, const Places& places) {
    Redactor redactor;
    Catalog catalog = make_catalog(places, false);
    const PipelineReading reading =
        read_pipeline(file, [&catalog](const std::string& id) { return catalog.find(id); });
    print_diagnostics(reading.diagnostics, TextFilter(redactor));
    if (!reading.pipeline) return exit_invalid;

    asio::io_context io(1);
    RunObserver nobody;
    bool wrong = true;
    {
        RunContext context(io, places, *reading.pipeline, redactor);
        auto ended = [&wrong](std::exception_ptr exception, bool result) {
            if (exception) std::rethrow_exception(exception);
            wrong = result;
        };
        asio::co_spawn(io, look(context, context.services(nobody), *reading.pipeline, redactor),
                       [&io, &ended](std::exception_ptr exception, bool result) {
                           io.stop();
                           ended(exception, result);
                       });
        io.run();
    }
    if (wrong) return exit_invalid;
    std::cout << file.string() << ": " << reading.pipeline->deployments.size()
              << " deployments, nothing wrong\n";
    return exit_good;
}

}  // namespace certcast
