#include "core/cli/commands.hpp"
#include "core/cli/doubts.hpp"
#include "core/cli/run_context.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <iostream>

namespace certcast {

namespace asio = boost::asio;

int check_command(const std::filesystem::path& file, const Places& places) {
    Redactor redactor;
    Catalog catalog = make_catalog(places, false);
    const TextFilter filter(redactor);
    std::optional<Pipeline> pipeline = read_or_explain(file, catalog, filter);
    if (!pipeline) return exit_invalid;

    print_diagnostics(missing_here(*pipeline), filter);
    print_diagnostics(wide_grants(*pipeline), filter);
    asio::io_context io(1);
    bool wrong = true;
    RunContext context(io, places, *pipeline, redactor);
    asio::signal_set signals(io, SIGINT, SIGTERM);
    asio::cancellation_signal stop;
    signals.async_wait([&](boost::system::error_code failure, int) {
        if (failure) return;
        context.stopped = true;
        stop.emit(asio::cancellation_type::terminal);
        signals.clear();  // the next one kills
    });
    auto ended = [&](std::exception_ptr exception, bool result) {
        io.stop();
        if (exception) std::rethrow_exception(exception);
        wrong = result;
    };
    asio::co_spawn(io, inputs_are_wrong(context, redactor, CertificateStore::Commands::leave_out),
                   asio::bind_cancellation_slot(stop.slot(), std::move(ended)));
    io.run();
    if (context.stopped) return exit_interrupted;
    const auto& all = pipeline->deployments;
    const bool some_unusable = std::any_of(
        all.begin(), all.end(), [](const Deployment& one) { return !one.unusable.empty(); });
    if (some_unusable) std::cerr << file.string() << ": a plugin cannot be used\n";
    if (wrong || some_unusable) return exit_invalid;
    print_diagnostics(uncovered_names(*pipeline, context.certificates), filter);
    const auto searching = static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [](const Deployment& one) { return one.discovers; }));
    const std::size_t count = all.size() - searching;
    std::cout << file.string() << ": " << count << (count == 1 ? " deployment" : " deployments");
    if (searching > 0) {
        std::cout << " and " << searching << (searching == 1 ? " entry" : " entries")
                  << " whose targets are still to be found";
    }
    std::cout << ", nothing wrong\n";
    return exit_good;
}

}  // namespace certcast
