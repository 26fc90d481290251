#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/clock.hpp"
#include "core/scheduler/event.hpp"
#include "core/scheduler/run_observer.hpp"
#include "core/worker/command.hpp"

#include <stdlib.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace certcast {

namespace asio = boost::asio;

/// A clock that jumps to the next sleeper whenever nothing else is left to do.
class FakeClock : public Clock {
public:
    time_point now() const override { return now_; }

    asio::awaitable<bool> sleep_until(time_point when) override {
        const auto event = std::make_shared<Event>(co_await asio::this_coro::executor);
        const auto place = sleepers_.emplace(when, event);
        const bool slept = co_await event->wait();
        if (!slept) sleepers_.erase(place);
        co_return slept;
    }

    /// False: nobody sleeps.
    bool turn() {
        if (sleepers_.empty()) return false;
        now_ = std::max(now_, sleepers_.begin()->first);
        const auto event = sleepers_.begin()->second;
        sleepers_.erase(sleepers_.begin());
        event->set();
        return true;
    }

    Duration since_start() const { return std::chrono::duration_cast<Duration>(now_ - start()); }

private:
    static time_point start() { return time_point(std::chrono::hours(1)); }
    time_point now_ = start();
    std::multimap<time_point, std::shared_ptr<Event>> sleepers_;
};

/// The one thread of a test that waits, with the clock that belongs to it.
class Loop {
public:
    asio::any_io_executor executor() { return io_.get_executor(); }
    FakeClock& clock() { return clock_; }

    /// Starts something that is waited for by finish().
    template <typename T>
    void start(asio::awaitable<T> work, std::function<void(T)> then) {
        ++open_;
        asio::co_spawn(io_, std::move(work), [this, then](std::exception_ptr escaped, T value) {
            --open_;
            if (escaped) {
                escaped_ = escaped;
            } else {
                then(std::move(value));
            }
        });
    }

    void finish() {
        turn_until([this] { return open_ == 0; });
        if (escaped_) std::rethrow_exception(std::exchange(escaped_, nullptr));
    }

    void turn_until(const std::function<bool()>& ended) {
        while (!ended()) {
            io_.restart();
            if (io_.poll() > 0 || ended() || clock_.turn()) continue;
            // What another thread does takes real time.
            if (io_.run_one_for(std::chrono::seconds(10)) == 0) {
                throw std::logic_error("nothing is ready, nobody sleeps, and it has not ended");
            }
        }
    }

    /// What is ready, without turning the clock.
    void settle() {
        io_.restart();
        io_.poll();
    }

    template <typename T>
    T run(asio::awaitable<T> work) {
        std::optional<T> result;
        start<T>(std::move(work), [&](T value) { result.emplace(std::move(value)); });
        finish();
        return std::move(*result);
    }

private:
    asio::io_context io_;
    FakeClock clock_;
    std::size_t open_ = 0;
    std::exception_ptr escaped_;
};

/// Ends attempts as it was told to, after as long as it was told.
class FakeAttemptRunner : public AttemptRunner {
public:
    struct Script {
        AttemptResult result = changed();
        Duration takes{1'000};
        bool throws = false;
        Duration gives_slot_back_for{0};
    };

    explicit FakeAttemptRunner(Clock& clock) : clock_(clock) {}

    static AttemptResult changed() {
        AttemptResult result;
        result.changed = true;
        return result;
    }
    static AttemptResult ended(Ended how, Category category = Category::internal) {
        AttemptResult result;
        result.outcome = Outcome::of(how, Stage::deploy, category, "as scripted");
        return result;
    }

    /// The scripts of one deployment's attempts; the last one counts for all that follow.
    std::map<std::string, std::deque<Script>> scripts;
    std::vector<std::string> started;
    std::map<std::string, std::size_t> most_at_once;  ///< by plugin, "" for all
    std::map<std::string, Clock::time_point> began;
    std::map<std::string, std::vector<std::string>> beside;  ///< who ran when it started
    std::function<void(const std::string&)> on_start;
    std::function<void(const std::string&)> on_end;  ///< a stop in it comes too late

    /// "keep NAME" or "put back NAME", as they came.
    std::vector<std::string> conclusions;

    std::vector<std::string> kept;

    asio::awaitable<Result<void>> keep(const Deployment& deployment) override {
        kept.push_back(deployment.name);
        co_return Result<void>();
    }

    asio::awaitable<AttemptResult> conclude(const Deployment& deployment, std::uint32_t, Slot&,
                                            bool keep) override {
        conclusions.push_back((keep ? "keep " : "put back ") + deployment.name);
        AttemptResult result;
        if (!keep) result.rollback = RollbackState::done;
        co_return result;
    }

    asio::awaitable<AttemptResult> run(const Deployment& deployment, std::uint32_t,
                                       Slot& slot) override {
        co_await asio::this_coro::throw_if_cancelled(false);
        const Script script = next_script(deployment.name);
        started.push_back(deployment.name);
        began[deployment.name] = clock_.now();
        beside[deployment.name] = running_;
        running_.push_back(deployment.name);
        count(deployment.plugin, 1);
        if (on_start) on_start(deployment.name);
        bool whole = co_await clock_.sleep_until(clock_.now() + script.takes);
        if (whole && script.gives_slot_back_for.count() > 0) {
            slot.lend();
            count(deployment.plugin, -1);
            whole = co_await clock_.sleep_until(clock_.now() + script.gives_slot_back_for);
            if (whole) whole = co_await slot.take_again();
            count(deployment.plugin, 1);
        }
        count(deployment.plugin, -1);
        std::erase(running_, deployment.name);
        if (whole && on_end) {
            on_end(deployment.name);
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_terminal_cancellation());
        }
        if (script.result.shared_failure) script.result.shared_failure->left();
        if (script.throws) throw std::runtime_error("the runner is broken");
        if (whole) co_return script.result;
        AttemptResult stopped = ended(Ended::cancelled, Category::cancelled);
        stopped.rollback = RollbackState::done;
        co_return stopped;
    }

private:
    Script next_script(const std::string& name) {
        std::deque<Script>& left = scripts[name];
        if (left.empty()) return {};
        const Script script = left.front();
        if (left.size() > 1) left.pop_front();
        return script;
    }

    void count(const std::string& plugin, int by) {
        for (const std::string& key : {plugin, std::string()}) {
            at_once_[key] += by;
            most_at_once[key] =
                std::max(most_at_once[key], static_cast<std::size_t>(at_once_[key]));
        }
    }

    Clock& clock_;
    std::vector<std::string> running_;
    std::map<std::string, int> at_once_;
};

/// Remembers what it heard.
class Listener : public RunObserver {
public:
    struct Wait {
        std::string deployment;
        std::string why;
        Duration how_long{};
    };
    std::vector<Wait> waits;
    std::vector<std::string> stages;
    std::vector<LogLine> lines;
    std::vector<std::string> finished;

    void stage(const Deployment&, std::uint32_t, std::string_view name) override {
        stages.emplace_back(name);
    }
    void log(const Deployment&, const LogLine& line) override { lines.push_back(line); }
    void waiting(const Deployment& deployment, std::string_view why,
                 std::optional<Duration> how_long) override {
        waits.push_back({deployment.name, std::string(why), how_long.value_or(Duration(0))});
    }
    void deployment_finished(const DeploymentReport& report) override {
        finished.push_back(report.name);
    }
};

/// Answers commands without running any.
class FakeCommands : public CommandRunner {
public:
    explicit FakeCommands(Clock& clock) : clock_(clock) {}

    std::vector<std::vector<std::string>> ran;
    std::vector<std::vector<std::pair<std::string, std::string>>> environments;
    std::vector<Duration> timeouts;
    std::size_t cancelled = 0;
    Duration takes{100};
    int status = 0;
    bool timed_out = false;
    std::string output = "done\n";

    asio::awaitable<Result<CommandResult>> run(Command command) override {
        co_await asio::this_coro::throw_if_cancelled(false);
        ran.push_back(command.argv);
        environments.push_back(command.environment);
        timeouts.push_back(command.timeout);
        const bool slept = co_await clock_.sleep_until(clock_.now() + takes);
        if (!slept) {
            ++cancelled;
            // The real one cleans up first, and forgets meanwhile that it was cancelled.
            co_await asio::this_coro::reset_cancellation_state(
                asio::enable_terminal_cancellation());
            co_return Error{ErrorCode::cancelled, "killed", {}};
        }
        CommandResult result;
        result.status = status;
        result.timed_out = timed_out;
        result.output = Secret(output);
        co_return result;
    }

private:
    Clock& clock_;
};

}  // namespace certcast
