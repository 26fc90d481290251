#include "core/journal/journal_writer.hpp"

#include "core/journal/journal_file.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sqlite3.h>

#include <chrono>
#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds longest_gathering(50);
constexpr std::size_t most_gathered = std::size_t{1024} * 1024;

/// What a coroutine of the loop waits for. The thread fills it before the loop is told.
struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor)
        : timer(executor, asio::steady_timer::time_point::max()) {}

    asio::steady_timer timer;
    bool is_done = false;
    Result<void> result;
};

}  // namespace

struct JournalWriter::Item {
    Change change;
    std::size_t size = 0;
    std::shared_ptr<Waiter> waiter;  ///< nullptr: nobody waits
};

JournalWriter::JournalWriter(std::unique_ptr<JournalDatabase> database, std::filesystem::path file)
    : database_(std::move(database)), file_(std::move(file)), thread_([this] { work(); }) {}

JournalWriter::~JournalWriter() {
    {
        const std::lock_guard lock(mutex_);
        ends_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

void JournalWriter::queue(Change change, std::size_t size) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(change), size, nullptr});
    backlog_ += size;
    const bool is_much = backlog_ > most_gathered;
    if (waiting_.size() == 1 || (is_much && !hurries_)) changed_.notify_one();
    hurries_ = hurries_ || is_much;
}

asio::awaitable<Result<void>> JournalWriter::commit(Change change) {
    const auto executor = co_await asio::this_coro::executor;
    const auto waiter = std::make_shared<Waiter>(executor);
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back({std::move(change), 0, waiter});
        hurries_ = true;
    }
    changed_.notify_one();
    // What the change refers to is the caller's, who must not go before it was made.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!waiter->is_done) {
        boost::system::error_code ignored;
        co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return waiter->result;
}

std::optional<Error> JournalWriter::lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
}

std::size_t JournalWriter::backlog() const {
    const std::lock_guard lock(mutex_);
    return backlog_;
}

void JournalWriter::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
        changed_.wait_for(lock, longest_gathering, [this] { return ends_ || hurries_; });
        if (waiting_.empty()) return;
        std::vector<Item> items = std::exchange(waiting_, {});
        backlog_ = 0;
        hurries_ = false;
        lock.unlock();
        write(items);
        tell(items);
        lock.lock();
    }
}

void JournalWriter::write(std::vector<Item>& items) {
    const auto failure = write_together(items);
    if (!failure) return;
    // Where one of them is to blame each gets its own answer; where the file is, all get the same.
    for (Item& item : items) {
        const auto own = failure->is_of_one ? write_together({&item, 1}) : failure;
        if (!own) continue;
        if (item.waiter) {
            item.waiter->result = own->error;
        } else {
            const std::lock_guard lock(mutex_);
            if (!lost_) lost_ = own->error;
        }
    }
}

std::optional<JournalWriter::Failure> JournalWriter::write_together(std::span<const Item> items) {
    try {
        SQLite::Transaction transaction(database_->sqlite(),
                                        SQLite::TransactionBehavior::IMMEDIATE);
        for (const Item& item : items) item.change(*database_);
        transaction.commit();
        return std::nullopt;
    } catch (const SQLite::Exception& exception) {
        return Failure{exception.getErrorCode() == SQLITE_CONSTRAINT,
                       journal_error(exception, file_)};
    }
}

void JournalWriter::tell(std::vector<Item>& items) {
    for (Item& item : items) {
        if (!item.waiter) continue;
        const auto executor = item.waiter->timer.get_executor();
        asio::post(executor, [waiter = std::move(item.waiter)] {
            waiter->is_done = true;
            waiter->timer.cancel();
        });
    }
}

}  // namespace certcast
