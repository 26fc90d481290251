#include "core/base/private_folder.hpp"
#include "core/cli/commands.hpp"
#include "core/cli/harden.hpp"
#include "core/cli/run_context.hpp"
#include "core/journal/history.hpp"
#include "core/pipeline/selection.hpp"
#include "core/report/console.hpp"
#include "core/report/journal_record.hpp"
#include "core/report/json_lines.hpp"
#include "core/report/patient_output.hpp"
#include "core/report/plain.hpp"
#include "core/report/plan_view.hpp"
#include "core/report/report_file.hpp"
#include "core/scheduler/run_observers.hpp"
#include "core/scheduler/scheduler.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <map>

namespace certcast {

namespace asio = boost::asio;

namespace {

/// Says what the host has to say, and nothing else.
class QuietDisplay : public RunDisplay {
public:
    QuietDisplay(std::ostream& notes, const TextFilter& filter) : notes_(notes), filter_(filter) {}
    void note(std::string_view text) override {
        notes_ << "certcast: " << filter_.line(text) << std::endl;
    }

private:
    std::ostream& notes_;
    TextFilter filter_;
};

std::unique_ptr<RunDisplay> make_display(const RunArguments& arguments, const TextFilter& filter,
                                         std::ostream& out, std::ostream& notes) {
    if (arguments.plan) return std::make_unique<QuietDisplay>(notes, filter);
    if (arguments.output == "json") {
        return std::make_unique<JsonLinesDisplay>(out, notes, filter);
    }
    const TerminalSettings terminal = TerminalSettings::of(STDOUT_FILENO);
    if (arguments.output == "plain" || !terminal.is_interactive()) {
        return std::make_unique<PlainDisplay>(out, filter, arguments.verbose);
    }
    ConsoleOptions options;
    options.verbose = arguments.verbose;
    options.paint = Paint(terminal.wants_colour());
    options.size = [] { return TerminalSize::of(STDOUT_FILENO); };
    return std::make_unique<ConsoleDisplay>(out, filter, std::move(options));
}

/// One run from its pipeline to its report.
class Run {
public:
    /// `journal`: nullptr where nothing is to be remembered.
    Run(const RunArguments& arguments, const Places& places, const Pipeline& pipeline,
        Redactor& redactor, std::unique_ptr<Journal> journal)
        : arguments_(arguments),
          places_(places),
          pipeline_(pipeline),
          redactor_(redactor),
          filter_(redactor),
          journal_(std::move(journal)),
          context_(io_, places, pipeline, redactor, journal_.get(),
                   arguments.dry_run ? Reach::looking : Reach::all),
          display_(make_display(arguments, filter_, out_.stream(), notes_.stream())),
          services_(context_.services(observers_)),
          ticks_(io_),
          signals_(io_, SIGINT, SIGTERM) {
        services_.force = arguments.force;
        services_.dry_run = arguments.dry_run;
        services_.changes = &changes_;
        observers_.add(*display_);
        if (!journal_ || arguments.dry_run) return;
        record_.emplace(*journal_, context_.certificates, filter_);
        observers_.add(*record_);
    }

    int operator()() {
        await_signal();
        tick();
        auto ended = [this](std::exception_ptr exception, int status) {
            if (exception) std::rethrow_exception(exception);
            status_ = status;
            ended_ = true;
        };
        asio::co_spawn(io_, all(),
                       asio::bind_cancellation_slot(stop_preflight_.slot(), std::move(ended)));
        while (!ended_) io_.run_one();
        display_->close();
        signals_.clear();  // nothing is left to be stopped but the wait for a slow reader
        notes_.close();
        const int lost = out_.close();
        if (lost == 0 || lost == EPIPE) return status_;
        std::cerr << "certcast: " << system_error("standard output cannot be written", lost).text()
                  << '\n';
        return exit_host_failed;
    }

private:
    asio::awaitable<int> all() {
        co_await asio::this_coro::throw_if_cancelled(false);
        const bool wrong =
            co_await inputs_are_wrong(context_, redactor_, CertificateStore::Commands::run);
        if (context_.stopped) co_return exit_interrupted;
        if (wrong) co_return exit_invalid;

        if (auto found = find_done(); !found) {
            std::cerr << "certcast: nothing was touched: " << found.error().text() << '\n';
            co_return exit_host_failed;
        }
        StagedAttempts attempts(services_);
        Scheduler scheduler(io_.get_executor(), pipeline_, options(), attempts, context_.clock,
                            observers_);
        scheduler_ = &scheduler;
        RunReport report = co_await scheduler.run();
        scheduler_ = nullptr;
        signals_.cancel();
        for (const std::string& warning : context_.secrets.warnings()) display_->note(warning);
        for (const std::string& gap : context_.host.sandbox_gaps()) {
            display_->note("sandbox: " + gap);
            report.sandbox_gaps.push_back(gap);
        }
        report.control_groups = context_.host.group_powers();
        if (!arguments_.report.empty()) {
            if (auto written = write_report(arguments_.report, report, filter_); !written) {
                std::cerr << "certcast: " << written.error().text() << '\n';
                co_return exit_host_failed;
            }
        }
        if (arguments_.plan) co_return show_plan(report);
        if (!record_) co_return report.exit_status();
        const Result<void> written = co_await journal_->flush();
        if (written) co_return report.exit_status();
        display_->note("the journal of this run is not whole: " + written.error().text());
        co_return exit_host_failed;
    }

    int show_plan(const RunReport& report) {
        if (arguments_.json) {
            out_.stream() << boost::json::serialize(plan_in_json(report, filter_)) << '\n';
        } else {
            out_.stream() << plan_in_a_table(report, filter_);
        }
        return plan_exit_status(report);
    }

    RunOptions options() {
        RunOptions options;
        options.lock_timeout = arguments_.lock_timeout;
        if (!arguments_.dry_run) options.lock_folder = places_.lock_folder;
        options.most_begun = most_workers();
        options.done_in = [this](const Deployment& deployment) {
            const auto found = done_in_.find(deployment.name);
            return found == done_in_.end() ? std::string() : found->second;
        };
        options.expiry = [this](const Deployment& deployment) {
            auto soonest = std::chrono::system_clock::time_point::max();
            for (const std::string& name : deployment.certificates) {
                const CertificateBundle* bundle = context_.certificates.find(name);
                if (bundle != nullptr) soonest = std::min(soonest, bundle->not_after());
            }
            return soonest;
        };
        return options;
    }

    void await_signal() {
        signals_.async_wait([this](boost::system::error_code failure, int) {
            if (failure) return;
            if (context_.stopped) {
                context_.host.kill_all();
                signals_.clear();
                display_->note(
                    "interrupted again: everything is killed; what was half-way is left as it is");
                return;
            }
            context_.stopped = true;
            if (scheduler_ == nullptr) {
                display_->note("interrupted: nothing was touched");
                stop_preflight_.emit(asio::cancellation_type::terminal);
            } else {
                display_->note(
                    "interrupted: asking everything to stop and rolling back; once more "
                    "kills at once");
                scheduler_->stop();
            }
            await_signal();
        });
    }

    void tick() {
        ticks_.expires_after(std::chrono::milliseconds(100));
        ticks_.async_wait([this](boost::system::error_code failure) {
            if (failure) return;
            display_->tick();
            tick();
        });
    }

    /// What succeeded when it was tried last, as the pipeline says it now and with the certificates
    /// that it has now.
    Result<void> find_done() {
        if (!arguments_.resume) return {};
        const auto history = History::open(places_.state_folder);
        if (!history) return history.error();
        const auto latest = history->latest(pipeline_.file.string());
        if (!latest) return latest.error();
        const auto certificates = history->certificates(pipeline_.file.string());
        if (!certificates) return certificates.error();
        const auto unsettled = history->unsettled();
        if (!unsettled) return unsettled.error();
        std::map<std::pair<std::string, std::string>, std::string> wanted;
        for (const KnownCertificate& one : *certificates) {
            wanted[{one.deployment, one.wanted.name}] = one.wanted.sha256;
        }
        for (const Deployment& deployment : pipeline_.deployments) {
            const auto found = latest->find(deployment.name);
            if (found == latest->end() || !found->second.succeeded()) continue;
            if (unsettled->contains(memory_key(deployment))) continue;
            if (found->second.digest != digest_of(deployment)) continue;
            const auto& names = deployment.certificates;
            const bool same = std::all_of(names.begin(), names.end(), [&](const auto& name) {
                const CertificateBundle* bundle = context_.certificates.find(name);
                return bundle != nullptr &&
                       to_hex(bundle->sha256()) == wanted[{deployment.name, name}];
            });
            if (same) done_in_[deployment.name] = found->second.run;
        }
        return {};
    }

    const RunArguments& arguments_;
    const Places& places_;
    const Pipeline& pipeline_;
    Redactor& redactor_;
    TextFilter filter_;
    asio::io_context io_{1};
    std::unique_ptr<Journal> journal_;
    RunContext context_;
    PatientOutput out_{STDOUT_FILENO};
    PatientOutput notes_{STDERR_FILENO};
    std::unique_ptr<RunDisplay> display_;
    std::optional<JournalRecord> record_;
    RunObservers observers_;
    ChangeBudget changes_{arguments_.max_changes.value_or(SIZE_MAX)};
    std::map<std::string, std::string> done_in_;  ///< by deployment: the run
    AttemptServices services_;
    asio::steady_timer ticks_;
    asio::signal_set signals_;
    asio::cancellation_signal stop_preflight_;
    Scheduler* scheduler_ = nullptr;  ///< nullptr: the inputs are still looked at
    bool ended_ = false;
    int status_ = exit_host_failed;
};

}  // namespace

int run_command(const RunArguments& arguments, const Places& places) {
    Redactor redactor;
    const TextFilter filter(redactor);
    Catalog catalog = make_catalog(places, !arguments.dry_run);
    std::optional<Pipeline> pipeline = read_or_explain(arguments.pipeline, catalog, filter);
    if (!pipeline) return exit_invalid;
    const auto mistakes = select(*pipeline, arguments.only, arguments.tags);
    for (const std::string& mistake : mistakes) {
        std::cerr << "certcast: " << filter.line(mistake) << '\n';
    }
    if (!mistakes.empty()) return exit_invalid;
    if (!arguments.report.empty()) {
        if (auto possible = report_can_be_written(arguments.report); !possible) {
            std::cerr << "certcast: " << possible.error().text() << '\n';
            return exit_invalid;
        }
    }
    const auto made = arguments.dry_run ? Result<void>() : make_private_folder(places.lock_folder);
    if (!made) {
        std::cerr << "certcast: no place for locks: " << made.error().text()
                  << "; XDG_STATE_HOME may name another folder for a user who is not root\n";
        return exit_host_failed;
    }
    if (arguments.dry_run) {
        // Everything is looked at, whatever would have to be done before it.
        for (Deployment& deployment : pipeline->deployments) deployment.needs.clear();
    }
    if (arguments.max_parallel != 0) pipeline->max_parallel = arguments.max_parallel;
    const std::uint32_t most = most_workers();
    if (pipeline->max_parallel > most) {
        std::cerr << "certcast: at most " << most << " at once instead of "
                  << pipeline->max_parallel
                  << ": the limit on open files allows no more (ulimit -Hn)\n";
        pipeline->max_parallel = most;
    }
    std::unique_ptr<Journal> journal;
    if (!arguments.no_journal) {
        auto opened = arguments.dry_run ? Journal::open_for_reading(places.state_folder)
                                        : Journal::open(places.state_folder);
        const bool is_new =
            arguments.dry_run && !opened && opened.error().code == ErrorCode::not_found;
        if (!opened && !is_new) {
            std::cerr << "certcast: nothing was touched: " << opened.error().text() << '\n';
            return exit_host_failed;
        }
        if (opened) journal = std::move(*opened);
    }
    return Run(arguments, places, *pipeline, redactor, std::move(journal))();
}

int plan_command(RunArguments arguments, const Places& places) {
    arguments.plan = arguments.dry_run = true;
    return run_command(arguments, places);
}

}  // namespace certcast
