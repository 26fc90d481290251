#include "core/cli/run_context.hpp"

#include "core/scheduler/validation.hpp"

#include <iostream>

namespace certcast {

namespace asio = boost::asio;

asio::awaitable<bool> inputs_are_wrong(RunContext& context, Redactor& redactor,
                                       CertificateStore::Commands commands) {
    const TextFilter filter(redactor);
    const auto problems = co_await context.certificates.load(context.pipeline, context.secrets,
                                                             redactor, BundleRules{}, commands);
    if (context.stopped) co_return false;
    const bool bad_certificates = print_diagnostics(problems, filter);
    const bool may_run_commands = commands == CertificateStore::Commands::run;
    if (bad_certificates && may_run_commands) co_return true;

    RunObserver nobody;  // what plugins print while they look at their configuration
    const auto findings = co_await validate_all(context.services(nobody), context.pipeline);
    if (context.stopped) co_return false;
    bool wrong = bad_certificates;
    for (const auto& [deployment, finding] : findings) {
        const bool error = finding.severity == LogLevel::error;
        wrong = wrong || error;
        std::cerr << deployment->location.text() << ": " << (error ? "error: " : "warning: ")
                  << filter.line(deployment->name + ": " + in_words(finding)) << '\n';
    }
    co_return wrong;
}

}  // namespace certcast
