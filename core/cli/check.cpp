#include "core/cli/commands.hpp"
#include "core/cli/run_context.hpp"

#include <boost/asio/co_spawn.hpp>

#include <iostream>

namespace certcast {

namespace asio = boost::asio;

int check_command(const std::filesystem::path& file, const Places& places) {
    Redactor redactor;
    Catalog catalog = make_catalog(places, false);
    const PipelineReading reading =
        read_pipeline(file, [&catalog](const std::string& id) { return catalog.find(id); });
    print_diagnostics(reading.diagnostics, TextFilter(redactor));
    if (!reading.pipeline) return exit_invalid;

    asio::io_context io(1);
    bool wrong = true;
    RunContext context(io, places, *reading.pipeline, redactor);
    auto ended = [&](std::exception_ptr exception, bool result) {
        io.stop();
        if (exception) std::rethrow_exception(exception);
        wrong = result;
    };
    asio::co_spawn(io, inputs_are_wrong(context, redactor, CertificateStore::Commands::leave_out),
                   std::move(ended));
    io.run();
    if (wrong) return exit_invalid;
    std::cout << file.string() << ": " << reading.pipeline->deployments.size()
              << " deployments, nothing wrong\n";
    return exit_good;
}

}  // namespace certcast
