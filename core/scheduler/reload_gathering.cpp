#include "core/scheduler/reload_gathering.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>

namespace certcast {

namespace asio = boost::asio;

struct ReloadGathering::Batch {
    Batch(const asio::any_io_executor& executor, Command to_run)
        : command(std::move(to_run)), ended(executor) {}

    Command command;
    Clock::time_point due;
    std::size_t askers = 0;
    std::size_t going_forward = 0;          ///< of them
    std::shared_ptr<SharedFailure> shared;  ///< of those, where there are several and it failed
    asio::cancellation_signal wake;  ///< ends the gathering, or the command once nobody wants it
    std::optional<Result<CommandResult>> result;
    Event ended;
};

namespace {

Result<CommandResult> copy_of(const Result<CommandResult>& result) {
    if (result.has_error()) return result.error();
    return CommandResult{.status = result->status,
                         .timed_out = result->timed_out,
                         .truncated = result->truncated,
                         .output = result->output.clone()};
}

/// Rather than that it could not be asked, which is nobody's fault.
bool says_no(const Result<CommandResult>& result) {
    return result.has_value() && !result->timed_out && result->status != 0;
}

}  // namespace

ReloadGathering::Expectation::Expectation(ReloadGathering& gathering,
                                          std::vector<std::vector<std::string>> commands)
    : gathering_(gathering), commands_(std::move(commands)) {
    for (const auto& argv : commands_) ++gathering_.expected_[argv];
}

ReloadGathering::Expectation::~Expectation() {
    for (const auto& argv : commands_) gathering_.leave(argv);
    if (shared_) shared_->left();
}

void ReloadGathering::Expectation::drop(const std::vector<std::string>& argv) {
    if (std::erase(commands_, argv) > 0) gathering_.leave(argv);
}

void ReloadGathering::Expectation::add(const std::vector<std::string>& argv) {
    commands_.push_back(argv);
    ++gathering_.expected_[argv];
}

void ReloadGathering::Expectation::fail_with_others(std::shared_ptr<SharedFailure> shared) {
    if (shared_) shared_->left();
    shared_ = std::move(shared);
}

void ReloadGathering::leave(const std::vector<std::string>& argv) {
    const auto found = expected_.find(argv);
    if (found == expected_.end() || --found->second > 0) return;
    expected_.erase(found);
    for (auto line = lines_.lower_bound({argv, {}}); line != lines_.end(); ++line) {
        if (line->first.first != argv) break;
        if (line->second.gathering) {
            line->second.gathering->wake.emit(asio::cancellation_type::terminal);
        }
    }
}

asio::awaitable<Result<CommandResult>> ReloadGathering::ask(Command command, std::string identity,
                                                            Expectation& asker,
                                                            Direction direction) {
    co_await asio::this_coro::throw_if_cancelled(false);
    const Key key{command.argv, std::move(identity)};
    const Duration timeout = command.timeout;
    std::shared_ptr<Batch> batch = lines_[key].gathering;
    const bool first = batch == nullptr;
    if (first) {
        batch = std::make_shared<Batch>(executor_, std::move(command));
        lines_[key].gathering = batch;
    }
    const std::size_t forward = direction == Direction::forward ? 1 : 0;
    ++batch->askers;
    batch->going_forward += forward;
    batch->due = clock_.now() + patience_;
    batch->command.timeout = std::max(batch->command.timeout, timeout);
    asker.drop(key.first);
    if (first) start(key, batch);

    const bool answered = co_await batch->ended.wait();
    --batch->askers;
    batch->going_forward -= forward;
    if (answered) {
        if (forward > 0) asker.has_failed_ = says_no(*batch->result);
        if (batch->shared) {
            // All of them are going to undo what they did, and then it is to be run for all again.
            asker.add(key.first);
            if (forward > 0) asker.fail_with_others(batch->shared);
        }
        co_return copy_of(*batch->result);
    }
    if (batch->askers == 0) batch->wake.emit(asio::cancellation_type::terminal);
    co_return Error{ErrorCode::cancelled, "the reload is no longer waited for", {}};
}

void ReloadGathering::start(const Key& key, std::shared_ptr<Batch> batch) {
    auto ended = [this, key, batch](std::exception_ptr escaped) {
        if (escaped) {
            batch->result = Error{ErrorCode::internal, "certcast itself failed in a reload", {}};
        }
        Line& line = lines_[key];
        if (line.gathering == batch) line.gathering.reset();
        if (line.running == batch) line.running.reset();
        if (!line.gathering && !line.running) lines_.erase(key);
        if (batch->going_forward > 1 && says_no(*batch->result)) {
            batch->shared = std::make_shared<SharedFailure>(executor_, batch->going_forward);
        }
        batch->ended.set();
    };
    asio::co_spawn(executor_, gather_and_run(key, batch),
                   asio::bind_cancellation_slot(batch->wake.slot(), std::move(ended)));
}

bool ReloadGathering::complete(const Batch& batch) const {
    return batch.askers == 0 || clock_.now() >= batch.due ||
           expected_.find(batch.command.argv) == expected_.end();
}

asio::awaitable<void> ReloadGathering::gather_and_run(Key key, std::shared_ptr<Batch> batch) {
    co_await asio::this_coro::throw_if_cancelled(false);
    for (;;) {
        co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
        const std::shared_ptr<Batch> before = lines_[key].running;
        if (batch->askers == 0) break;
        if (before) {
            co_await before->ended.wait();
        } else if (!complete(*batch)) {
            co_await clock_.sleep_until(batch->due);
        } else {
            break;
        }
    }
    Line& line = lines_[key];
    line.gathering.reset();
    if (batch->askers == 0) {
        batch->result = Error{ErrorCode::cancelled, "nobody waits for the reload any more", {}};
        co_return;
    }
    line.running = batch;
    Command command = std::move(batch->command);
    batch->result = co_await commands_.run(std::move(command));
}

}  // namespace certcast
