#pragma once

#include "core/base/error.hpp"
#include "core/journal/journal_database.hpp"

#include <boost/asio/awaitable.hpp>

#include <condition_variable>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

namespace certcast {

/// The one thread that uses a journal's file. Changes are made in the order in which they were
/// given; all that wait are committed together, so that the disk is waited for once a turn. Those
/// for which nobody waits are gathered for a moment.
class JournalWriter {
public:
    /// Runs on the thread, in a transaction; may throw SQLite::Exception, and may run twice.
    using Change = std::function<void(JournalDatabase&)>;

    JournalWriter(std::unique_ptr<JournalDatabase> database, std::filesystem::path file);
    JournalWriter(const JournalWriter&) = delete;
    JournalWriter& operator=(const JournalWriter&) = delete;
    /// Waits until all of it is written.
    ~JournalWriter();

    /// `size`: about as many bytes as it holds. What cannot be written is told by lost().
    void queue(Change change, std::size_t size = 0);
    /// What was given is durable when this returns, and all before it. Returns no earlier when it
    /// is cancelled. The calling coroutine's context outlives this object.
    boost::asio::awaitable<Result<void>> commit(Change change);

    /// Why something that was queued has been lost, the first of it.
    std::optional<Error> lost() const;
    /// Bytes that wait, about.
    std::size_t backlog() const;

private:
    struct Item;
    struct Failure {
        bool is_of_one;  ///< of the changes, rather than of the file
        Error error;
    };

    void work();
    void write(std::vector<Item>& items);
    std::optional<Failure> write_together(std::span<const Item> items);
    void tell(std::vector<Item>& items);

    std::unique_ptr<JournalDatabase> database_;
    std::filesystem::path file_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Item> waiting_;
    std::size_t backlog_ = 0;
    bool hurries_ = false;  ///< what waits is not to wait for more
    std::optional<Error> lost_;
    bool ends_ = false;
    std::thread thread_;
};

}  // namespace certcast
