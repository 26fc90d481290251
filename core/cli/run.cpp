#include "core/base/private_folder.hpp"
#include "core/cli/commands.hpp"
#include "core/cli/earlier_runs.hpp"
#include "core/cli/harden.hpp"
#include "core/cli/run_context.hpp"
#include "core/pipeline/selection.hpp"
#include "core/report/console.hpp"
#include "core/report/history_view.hpp"
#include "core/report/journal_record.hpp"
#include "core/report/json_lines.hpp"
#include "core/report/patient_output.hpp"
#include "core/report/plain.hpp"
#include "core/report/plan_view.hpp"
#include "core/report/report_file.hpp"
#include "core/scheduler/lock_table.hpp"
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
    /// `journal`: nullptr where there is none. `claimed`: the memory's keys of the whole pipeline,
    /// whatever of it is run.
    Run(const RunArguments& arguments, const Places& places, Pipeline& pipeline,
        std::set<std::string> claimed, Redactor& redactor, std::unique_ptr<Journal> journal)
        : arguments_(arguments),
          places_(places),
          pipeline_(pipeline),
          claimed_(std::move(claimed)),
          redactor_(redactor),
          filter_(redactor),
          journal_(std::move(journal)),
          context_(io_, places, pipeline, redactor,
                   DeploymentMemory(journal_.get(), pipeline.real_file.string(), use_of_journal()),
                   arguments.dry_run ? Reach::looking : Reach::all),
          display_(make_display(arguments, filter_, out_.stream(), notes_.stream())),
          services_(context_.services(observers_)),
          ticks_(io_),
          signals_(io_, SIGINT, SIGTERM) {
        services_.force = arguments.force;
        services_.dry_run = arguments.dry_run;
        services_.changes = &changes_;
        if (arguments.dry_run) {
            services_.under_way_elsewhere = [this](const Deployment& one) {
                return is_one_held(places_.lock_folder,
                                   locks_of_places(one.identities, memory_key(one)));
            };
        }
        observers_.add(*display_);
        if (!journal_ || use_of_journal() != DeploymentMemory::Use::all) return;
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
    DeploymentMemory::Use use_of_journal() const {
        if (arguments_.dry_run) return DeploymentMemory::Use::reading;
        return arguments_.no_journal ? DeploymentMemory::Use::keeping_away
                                     : DeploymentMemory::Use::all;
    }

    asio::awaitable<int> all() {
        co_await asio::this_coro::throw_if_cancelled(false);
        const bool wrong =
            co_await inputs_are_wrong(context_, redactor_, CertificateStore::Commands::run);
        if (context_.stopped) co_return exit_interrupted;
        if (wrong) co_return exit_invalid;

        const Result<void> looked = co_await look_back();
        if (!looked) {
            std::cerr << "certcast: nothing was touched: " << looked.error().text() << '\n';
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
        Result<void> written = co_await context_.memory.settle_rest();
        if (!written) {
            display_->note(
                "what is proven could not be recorded as settled, so the next run will "
                "undo it and do it again: " +
                written.error().text());
            co_return exit_host_failed;
        }
        written = co_await journal_->flush();
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

    /// Looks into what was before this run, and says what nobody is going to make good.
    asio::awaitable<Result<void>> look_back() {
        if (!journal_) co_return Result<void>();
        const auto half_way = co_await journal_->half_way();
        if (!half_way) co_return half_way.error();
        for (const HalfWay& one : unclaimed(*half_way, pipeline_, claimed_)) {
            display_->note(in_words(one) +
                           ": run the pipeline as it was then, or, where that is not to be undone "
                           "any more, `certcast forget " +
                           one.deployment + "`");
        }
        if (!arguments_.resume) co_return Result<void>();
        const auto history = History::open(places_.state_folder);
        if (!history) co_return history.error();
        auto done = done_in_runs(*history, *half_way, pipeline_, context_.certificates);
        if (!done) co_return done.error();
        done_in_ = std::move(*done);
        co_return Result<void>();
    }

    const RunArguments& arguments_;
    const Places& places_;
    Pipeline& pipeline_;
    const std::set<std::string> claimed_;
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
    std::optional<Pipeline> pipeline =
        read_with_targets(arguments.pipeline, catalog, places, redactor, [&](Pipeline& searching) {
            select(searching, arguments.only, arguments.tags);
            if (arguments.renewal) keep_deployments_of(*arguments.renewal, searching);
        });
    if (!pipeline) return exit_invalid;
    std::set<std::string> claimed = memory_keys(*pipeline);
    const auto mistakes = select(*pipeline, arguments.only, arguments.tags);
    for (const std::string& mistake : mistakes) {
        std::cerr << "certcast: " << filter.line(mistake) << '\n';
    }
    if (!mistakes.empty()) return exit_invalid;
    if (arguments.renewal && !has_deployments_of(*arguments.renewal, *pipeline)) return exit_good;
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
        for (Deployment& deployment : pipeline->deployments) {
            deployment.needs.clear();
            deployment.quorums.clear();
            deployment.waves.reset();
        }
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
    const bool only_read = arguments.dry_run || arguments.no_journal;
    auto opened = only_read ? Journal::open_for_reading(places.state_folder)
                            : Journal::open(places.state_folder);
    const bool is_new = only_read && !opened && opened.error().code == ErrorCode::not_found;
    if (opened) {
        journal = std::move(*opened);
    } else if (arguments.no_journal && !is_new) {
        std::cerr << "certcast: what an earlier run has left half-way is not known: "
                  << opened.error().text() << '\n';
    } else if (!is_new) {
        std::cerr << "certcast: nothing was touched: " << opened.error().text() << '\n';
        return exit_host_failed;
    }
    return Run(arguments, places, *pipeline, std::move(claimed), redactor, std::move(journal))();
}

int plan_command(RunArguments arguments, const Places& places) {
    arguments.plan = arguments.dry_run = true;
    return run_command(arguments, places);
}

}  // namespace certcast
