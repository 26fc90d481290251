#include "core/cli/commands.hpp"
#include "core/cli/pipeline_context.hpp"
#include "core/cli/run_context.hpp"
#include "core/report/journal_record.hpp"

#include <boost/asio/co_spawn.hpp>

#include <cstdlib>
#include <iostream>

namespace certcast {

namespace asio = boost::asio;

namespace {

std::optional<std::string> variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// What is wanted from now on, as far as that can be read without a command.
asio::awaitable<Result<void>> record_wanted(RunContext& context, Redactor& redactor,
                                            Journal& journal) {
    co_await context.certificates.load(context.pipeline, context.secrets, redactor, BundleRules{},
                                       CertificateStore::Commands::leave_out);
    for (const Deployment& deployment : context.pipeline.deployments) {
        journal.record(Queued{.pipeline_file = context.pipeline.real_file.string(),
                              .deployment = deployment.name,
                              .at = now_in_ms(),
                              .certificates = wanted_of(deployment, context.certificates)});
    }
    co_return co_await journal.flush();
}

int queue(const RunArguments& arguments, const Places& places) {
    Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, true);
    std::optional<Pipeline> pipeline = read_with_targets(
        arguments.pipeline, catalog, places, redactor,
        [&](Pipeline& searching) { keep_deployments_of(*arguments.renewal, searching); });
    if (!pipeline) return exit_invalid;
    if (!has_deployments_of(*arguments.renewal, *pipeline)) return exit_good;
    const bool some_missing = tell_undiscovered(*pipeline, filter);
    std::erase_if(pipeline->deployments, [](const Deployment& one) { return one.discovers; });
    const auto journal = Journal::open(places.state_folder);
    if (!journal) {
        std::cerr << "certcast: nothing was queued: " << journal.error().text() << '\n';
        return exit_host_failed;
    }
    asio::io_context io(1);
    RunContext context(io, places, *pipeline, redactor);
    Result<void> recorded;
    auto ended = [&](const std::exception_ptr& exception, Result<void> result) {
        if (exception) std::rethrow_exception(exception);
        recorded = std::move(result);
    };
    asio::co_spawn(io, record_wanted(context, redactor, **journal), std::move(ended));
    io.run();
    if (!recorded) {
        std::cerr << "certcast: not all was queued: " << recorded.error().text() << '\n';
        return exit_host_failed;
    }
    const std::size_t count = pipeline->deployments.size();
    std::cout << count << (count == 1 ? " deployment" : " deployments")
              << " queued; `certcast run --resume " << filter.line(arguments.pipeline.string())
              << "` deploys what is\n";
    return some_missing ? exit_host_failed : exit_good;
}

/// What a client makes of an exit status: certbot, lego and acme.sh report it and go on, dehydrated
/// stops its whole run, the certificates of others included.
int status_for(const Renewal& renewal, int status) {
    return renewal.client == Renewal::Client::dehydrated ? int{exit_good} : status;
}

}  // namespace

int hook_command(const HookArguments& arguments, const Places& places) {
    const Result<Renewal> renewal = read_renewal(arguments.from, arguments.arguments, variable);
    if (!renewal) {
        std::cerr << "certcast: " << renewal.error().text() << '\n';
        return exit_invalid;
    }
    const bool is_new = renewal->news == Renewal::News::renewed;
    if (renewal->news == Renewal::News::of_no_matter) return exit_good;
    // What failed is left to the next run as well.
    if (arguments.queue && !is_new) return exit_good;
    RunArguments run = arguments.run;
    run.renewal = *renewal;
    run.resume = !is_new;
    return status_for(*renewal, arguments.queue ? queue(run, places) : run_command(run, places));
}

}  // namespace certcast
