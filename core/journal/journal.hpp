#pragma once

#include "core/journal/journal_file.hpp"
#include "core/journal/journal_writer.hpp"
#include "core/journal/records.hpp"
#include "core/journal/sealing_key.hpp"
#include "core/worker/session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

/// What a deployment has begun and not settled.
struct Unsettled {
    bool begun = false;
    bool proven = false;       ///< only what it replaced is to be removed
    std::int64_t since = 0;    ///< tells it from what is begun at the same place later
    std::vector<Step> steps;   ///< oldest first
    std::vector<Live> former;  ///< what inspect found before it was begun
};

/// What a plugin has stored, and which version of it.
struct PluginState {
    Secret bytes;
    std::string version;
};

/// All that is remembered of what is deployed to.
struct Remembered {
    Unsettled unsettled;
    std::optional<PluginState> state;
    std::optional<HalfWay> in_the_way;  ///< begun under another key, at one of the same places
};

/// What outlasts a run: its history, the steps that undo what is not settled, and the state of
/// plugins. What is awaited is durable when it returns; what is only recorded follows in order.
/// Steps and state are sealed. Several processes may use one journal at a time.
class Journal {
public:
    /// Makes it where there is none.
    static Result<std::unique_ptr<Journal>> open(const std::filesystem::path& folder,
                                                 Duration patience = usual_journal_patience);

    /// For reading only: writes nothing anywhere, and every change is an error. not_found: there is
    /// none.
    static Result<std::unique_ptr<Journal>> open_for_reading(const std::filesystem::path& folder);

    boost::asio::awaitable<Result<Remembered>> recall(std::string key,
                                                      std::vector<std::string> places);
    /// All that was begun and is neither proven nor undone, by key.
    boost::asio::awaitable<Result<std::map<std::string, HalfWay>>> half_way();
    /// From now on it is unsettled, though it may have no step. `former`: what inspect found.
    boost::asio::awaitable<Result<void>> begin(HalfWay begun, const std::vector<Live>& former);
    /// The same, with its first step.
    boost::asio::awaitable<Result<void>> begin_with_step(HalfWay begun,
                                                         const std::vector<Live>& former,
                                                         const Step& step);
    /// REQUIRES: it was begun.
    boost::asio::awaitable<Result<void>> add_step(std::string key, std::size_t number,
                                                  const Step& step);
    boost::asio::awaitable<Result<void>> mark_undone(std::string key, std::size_t number);
    /// From now on nothing of it is undone.
    boost::asio::awaitable<Result<void>> prove(std::string key);
    /// Forgets what was begun then, with its steps.
    boost::asio::awaitable<Result<void>> settle(std::string key, std::int64_t since);
    boost::asio::awaitable<Result<void>> set_state(std::string key, const PluginState& state);

    void record(RunStarted started);
    void record(Queued queued);
    void record(AttemptStarted started);
    void record(AttemptFinished finished);
    /// Lines are left out, and that is said, while the disk does not keep up.
    void record(LoggedLine line);
    void record(DeploymentFinished finished);
    void record(RunFinished finished);

    /// Waits until all of it is written. Why something could not be.
    boost::asio::awaitable<Result<void>> flush();

private:
    Journal(std::unique_ptr<JournalDatabase> database, const std::filesystem::path& folder,
            SealingKey key);
    Result<JournalWriter::Change> beginning(HalfWay begun, const std::vector<Live>& former) const;
    Result<std::vector<std::byte>> sealed_step(const std::string& key, std::int64_t place,
                                               const Step& step) const;

    const SealingKey key_;
    std::size_t lines_left_out_ = 0;
    JournalWriter writer_;
};

}  // namespace certcast
