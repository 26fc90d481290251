#include "core/base/real_path.hpp"
#include "core/cli/commands.hpp"
#include "core/cli/earlier_runs.hpp"
#include "core/cli/run_context.hpp"
#include "core/report/history_view.hpp"
#include "core/scheduler/lock_table.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <set>

namespace certcast {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

int explain(const Error& error) {
    std::cerr << "certcast: " << error.text() << '\n';
    return error.code == ErrorCode::not_found ? exit_invalid : exit_host_failed;
}

std::string pipeline_file(const std::filesystem::path& pipeline) {
    return pipeline.empty() ? "" : real_path(std::filesystem::absolute(pipeline)).string();
}

using Known = std::map<std::pair<std::string, std::string>, KnownCertificate>;

/// What should be there is what lies there now, as far as that can be read without a command.
void load_certificates(asio::io_context& io, RunContext& context, Redactor& redactor) {
    auto ended = [](const std::exception_ptr& exception, const std::vector<Diagnostic>&) {
        if (exception) std::rethrow_exception(exception);
    };
    asio::co_spawn(io,
                   context.certificates.load(context.pipeline, context.secrets, redactor,
                                             BundleRules{}, CertificateStore::Commands::leave_out),
                   std::move(ended));
    io.run();
}

CertificateStatus::State state_of(const KnownCertificate& known, bool is_known, bool is_queued) {
    using State = CertificateStatus::State;
    if (is_queued) return State::queued;
    if (!is_known) return State::never_run;
    if (known.observed.sha256.empty()) return State::unknown;
    return known.observed.sha256 == known.wanted.sha256 ? State::as_wanted : State::differs;
}

std::vector<CertificateStatus> statuses_of(const Pipeline& pipeline,
                                           const CertificateStore& certificates, const Known& known,
                                           const std::map<std::string, HalfWay>& half_way,
                                           const std::set<std::string>& queued) {
    std::vector<CertificateStatus> all;
    for (const Deployment& deployment : pipeline.deployments) {
        const bool stands = half_way.contains(memory_key(deployment));
        for (const std::string& name : deployment.certificates) {
            CertificateStatus& status = all.emplace_back();
            const auto found = known.find({deployment.name, name});
            if (found != known.end()) status.known = found->second;
            status.known.deployment = deployment.name;
            status.known.wanted.name = name;
            if (const CertificateBundle* bundle = certificates.find(name)) {
                status.known.wanted.sha256 = to_hex(bundle->sha256());
                status.known.wanted.not_after =
                    std::chrono::system_clock::to_time_t(bundle->not_after());
            }
            status.state = stands ? CertificateStatus::State::unsettled
                                  : state_of(status.known, found != known.end(),
                                             queued.contains(deployment.name));
        }
    }
    for (const HalfWay& one : unclaimed(half_way, pipeline, memory_keys(pipeline))) {
        CertificateStatus& status = all.emplace_back();
        status.known.deployment = one.deployment;
        status.state = CertificateStatus::State::unclaimed;
    }
    return all;
}

}  // namespace

int history_command(const HistoryArguments& arguments, const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    if (arguments.prune) {
        const std::int64_t before =
            arguments.older_than ? now_in_ms() - arguments.older_than->count() : 0;
        const auto forgotten =
            prune_history(places.state_folder, before, arguments.keep.value_or(INT64_MAX));
        if (!forgotten) return explain(forgotten.error());
        std::cout << "forgot " << *forgotten << (*forgotten == 1 ? " run" : " runs") << '\n';
        return exit_good;
    }
    const auto history = History::open(places.state_folder);
    if (!history) return explain(history.error());
    const auto runs = history->runs(pipeline_file(arguments.pipeline), arguments.most);
    if (!runs) return explain(runs.error());
    if (arguments.json) {
        std::cout << json::serialize(to_json(*runs, filter)) << '\n';
    } else {
        std::cout << in_a_table(*runs, filter);
    }
    return exit_good;
}

int show_command(const ShowArguments& arguments, const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    const auto history = History::open(places.state_folder);
    if (!history) return explain(history.error());
    const auto run = history->run(arguments.run);
    if (!run) {
        std::cerr << "certcast: " << run.error().text() << '\n';
        return exit_invalid;
    }
    const auto deployments = history->deployments(run->name);
    if (!deployments) return explain(deployments.error());
    std::vector<PastDeploymentLog> shown;
    for (const PastDeployment& deployment : *deployments) {
        if (!arguments.deployment.empty() && deployment.name != arguments.deployment) continue;
        auto lines = history->log(run->name, deployment.name);
        if (!lines) return explain(lines.error());
        shown.push_back({deployment, std::move(*lines)});
    }
    if (shown.empty() && !arguments.deployment.empty()) {
        std::cerr << "certcast: the run " << run->name << " has no deployment \""
                  << filter.line(arguments.deployment) << "\"; `certcast show " << run->name
                  << "` shows all of them\n";
        return exit_invalid;
    }
    if (arguments.json) {
        std::cout << json::serialize(to_json(*run, shown, filter)) << '\n';
    } else {
        std::cout << in_full(*run, shown, filter);
    }
    return exit_good;
}

int status_command(const StatusArguments& arguments, const Places& places) {
    Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, false);
    std::optional<Pipeline> pipeline =
        read_with_targets(arguments.pipeline, catalog, places, redactor);
    if (!pipeline) return exit_invalid;
    tell_undiscovered(*pipeline, filter);
    const auto history = History::open(places.state_folder);
    if (!history && history.error().code != ErrorCode::not_found) return explain(history.error());

    Known known;
    std::map<std::string, HalfWay> half_way;
    std::set<std::string> queued;
    if (history) {
        const auto certificates = history->certificates(pipeline->real_file.string());
        if (!certificates) return explain(certificates.error());
        for (const KnownCertificate& one : *certificates) {
            known[{one.deployment, one.wanted.name}] = one;
        }
        auto left = history->half_way();
        if (!left) return explain(left.error());
        half_way = std::move(*left);
        auto waiting = history->queued(pipeline->real_file.string());
        if (!waiting) return explain(waiting.error());
        queued = std::move(*waiting);
    }
    asio::io_context io(1);
    RunContext context(io, places, *pipeline, redactor);
    load_certificates(io, context, redactor);
    const auto all = statuses_of(*pipeline, context.certificates, known, half_way, queued);
    if (arguments.json) {
        std::cout << json::serialize(to_json(all, filter)) << '\n';
    } else {
        std::cout << in_a_table(all, filter, now_in_ms() / 1000);
    }
    const bool all_well = std::all_of(all.begin(), all.end(), [](const CertificateStatus& one) {
        return one.state == CertificateStatus::State::as_wanted;
    });
    return all_well ? exit_good : exit_some_failed;
}

int forget_command(const ForgetArguments& arguments, const Places& places) {
    const Redactor redactor;
    const TextFilter filter(redactor);
    const auto history = History::open(places.state_folder);
    if (!history) return explain(history.error());
    const auto half_way = history->half_way();
    if (!half_way) return explain(half_way.error());
    std::vector<HalfWay> found;
    for (const auto& [key, one] : *half_way) {
        const bool of_pipeline =
            arguments.pipeline.empty() || one.pipeline_file == pipeline_file(arguments.pipeline);
        if (one.deployment == arguments.deployment && of_pipeline) found.push_back(one);
    }
    if (found.empty()) {
        std::cerr << "certcast: nothing is left half-way by a deployment "
                  << filter.line(arguments.deployment)
                  << "; `certcast status PIPELINE` shows what is\n";
        return exit_invalid;
    }
    if (found.size() > 1) {
        std::cerr << "certcast: several are called that; one is chosen by --pipeline FILE:\n";
        for (const HalfWay& one : found) std::cerr << "  " << filter.line(in_words(one)) << '\n';
        return exit_invalid;
    }
    const HalfWay& one = found.front();
    asio::io_context io(1);
    LockTable table(io.get_executor(), places.lock_folder);
    HeldLocks held;
    const auto taken = table.try_take(locks_of_places(one.places, one.key), held);
    if (!taken) return explain(taken.error());
    if (*taken != LockTable::Taken::all) {
        std::cerr << "certcast: a run is at it now; nothing was forgotten\n";
        return exit_no_lock;
    }
    if (auto forgotten = forget_half_way(places.state_folder, one); !forgotten) {
        return explain(forgotten.error());
    }
    std::cout << "forgotten, and what is there stays as it is: " << filter.line(in_words(one))
              << '\n';
    return exit_good;
}

}  // namespace certcast
