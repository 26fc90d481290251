#include "core/journal/journal.hpp"

#include "core/base/wire.hpp"
#include "core/journal/history.hpp"
#include "core/journal/history_writing.hpp"

#include <utility>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::size_t largest_backlog = std::size_t{64} * 1024 * 1024;

std::span<const std::byte> bytes_of(const SQLite::Column& column) {
    return {static_cast<const std::byte*>(column.getBlob()),
            static_cast<std::size_t>(column.getBytes())};
}

Secret encode(const Step& step) {
    wire::Writer out;
    out.text(step.label);
    out.bytes(step.undo.bytes());
    return out.take();
}

Result<Step> decode_step(std::span<const std::byte> bytes) {
    wire::Reader in(bytes);
    Step step;
    step.label = in.text();
    step.undo = Secret(in.bytes());
    if (in.finished()) return step;
    return Error{ErrorCode::invalid, "a step in the journal makes no sense", {}};
}

Secret encode(const std::vector<Live>& lives) {
    wire::Writer out;
    out.u32(static_cast<std::uint32_t>(lives.size()));
    for (const Live& live : lives) {
        out.u64(live.certificate);
        out.u32(live.presence);
        out.u32(live.evidence_kind);
        out.bytes(live.evidence);
        out.i64(live.not_after);
        out.u8(live.as_wanted ? 1 : 0);
    }
    return out.take();
}

Result<std::vector<Live>> decode_lives(std::span<const std::byte> bytes) {
    constexpr std::size_t least_live = 8 + 4 + 4 + 4 + 8 + 1;
    wire::Reader in(bytes);
    std::vector<Live> lives;
    const std::uint32_t count = in.count(least_live);
    for (std::uint32_t i = 0; i < count; ++i) {
        Live& live = lives.emplace_back();
        live.certificate = in.u64();
        live.presence = in.u32();
        live.evidence_kind = in.u32();
        const auto evidence = in.bytes();
        live.evidence.assign(evidence.begin(), evidence.end());
        live.not_after = in.i64();
        live.as_wanted = in.u8() != 0;
    }
    if (in.finished()) return lives;
    return Error{ErrorCode::invalid, "what was there before a step makes no sense", {}};
}

std::string about_step(const std::string& key, std::int64_t number) {
    return "step\n" + std::to_string(number) + '\n' + key;
}
std::string about_former(const std::string& key) {
    return "former\n" + key;
}
std::string about_state(const std::string& key) {
    return "state\n" + key;
}

bool fs_exists(const std::filesystem::path& file) {
    std::error_code failure;
    return std::filesystem::exists(file, failure);
}

bool holds_sealed(JournalDatabase& database) {
    return database.query("SELECT 1 FROM unsettled UNION ALL SELECT 1 FROM state LIMIT 1")
        ->executeStep();
}

void insert_step(JournalDatabase& database, const std::string& key, std::int64_t place,
                 const Step& step, const std::vector<std::byte>& sealed) {
    database.run("INSERT INTO step (key, number, attempt, sealed) VALUES (?, ?, ?, ?)", key, place,
                 step.attempt, sealed);
}

Result<Unsettled> read_unsettled(JournalDatabase& database, const SealingKey& sealing,
                                 const std::string& key) {
    Unsettled found;
    auto begun = database.query("SELECT former, proven, since FROM unsettled WHERE key = ?", key);
    if (!begun->executeStep()) return found;
    found.begun = true;
    found.proven = begun->getColumn(1).getInt() != 0;
    found.since = begun->getColumn(2).getInt64();
    const auto former = sealing.open(bytes_of(begun->getColumn(0)), about_former(key));
    if (!former) return former.error();
    auto lives = decode_lives(former->bytes());
    if (!lives) return lives.error();
    found.former = std::move(*lives);
    auto steps = database.query(
        "SELECT number, attempt, undone, sealed FROM step WHERE key = ? ORDER BY number", key);
    while (steps->executeStep()) {
        const auto sealed = bytes_of(steps->getColumn(3));
        const auto opened = sealing.open(sealed, about_step(key, steps->getColumn(0).getInt64()));
        if (!opened) return opened.error();
        auto step = decode_step(opened->bytes());
        if (!step) return step.error();
        step->attempt = steps->getColumn(1).getUInt();
        step->undone = steps->getColumn(2).getInt() != 0;
        found.steps.push_back(std::move(*step));
    }
    return found;
}

Result<std::optional<PluginState>> read_state(JournalDatabase& database, const SealingKey& sealing,
                                              const std::string& key) {
    auto select = database.query("SELECT version, sealed FROM state WHERE key = ?", key);
    if (!select->executeStep()) return std::optional<PluginState>();
    auto bytes = sealing.open(bytes_of(select->getColumn(1)), about_state(key));
    if (!bytes) return bytes.error();
    return std::optional<PluginState>(
        PluginState{std::move(*bytes), select->getColumn(0).getString()});
}

std::optional<HalfWay> read_in_the_way(JournalDatabase& database, const std::string& key,
                                       const std::vector<std::string>& places) {
    for (const std::string& place : places) {
        auto other = database.query(
            "SELECT key, deployment, pipeline_file, since FROM unsettled "
            "JOIN place USING (key) WHERE place = ?1 AND key <> ?2 LIMIT 1",
            place, key);
        if (!other->executeStep()) continue;
        return HalfWay{other->getColumn(0).getString(),
                       other->getColumn(1).getString(),
                       other->getColumn(2).getString(),
                       other->getColumn(3).getInt64(),
                       {place}};
    }
    return std::nullopt;
}

Result<Remembered> read(JournalDatabase& database, const SealingKey& sealing,
                        const std::string& key, const std::vector<std::string>& places) {
    auto unsettled = read_unsettled(database, sealing, key);
    if (!unsettled) return unsettled.error();
    auto state = read_state(database, sealing, key);
    if (!state) return state.error();
    return Remembered{std::move(*unsettled), std::move(*state),
                      read_in_the_way(database, key, places)};
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& folder,
                                               Duration patience) {
    auto database = open_journal(folder, patience);
    if (!database) return database.error();
    // A new key opens nothing that is sealed already.
    auto key = holds_sealed(**database) ? SealingKey::read(folder) : SealingKey::in(folder);
    if (!key) return key.error();
    return std::unique_ptr<Journal>(new Journal(std::move(*database), folder, std::move(*key)));
}

Result<std::unique_ptr<Journal>> Journal::open_for_reading(const std::filesystem::path& folder) {
    auto database = read_journal(folder);
    if (!database) return database.error();
    if (!fs_exists(folder / "journal.key") && !holds_sealed(**database)) {
        return Error{ErrorCode::not_found, "the journal is empty", folder.string()};
    }
    auto key = SealingKey::read(folder);
    if (!key) return key.error();
    return std::unique_ptr<Journal>(new Journal(std::move(*database), folder, std::move(*key)));
}

Journal::Journal(std::unique_ptr<JournalDatabase> database, const std::filesystem::path& folder,
                 SealingKey key)
    : key_(std::move(key)), writer_(std::move(database), folder / "journal.db") {}

asio::awaitable<Result<Remembered>> Journal::recall(std::string key,
                                                    std::vector<std::string> places) {
    Result<Remembered> found = Remembered{};
    JournalWriter::Change look = [&](JournalDatabase& database) {
        found = read(database, key_, key, places);
    };
    const auto looked = co_await writer_.commit(std::move(look));
    if (!looked) co_return looked.error();
    co_return found;
}

asio::awaitable<Result<std::map<std::string, HalfWay>>> Journal::half_way() {
    std::map<std::string, HalfWay> found;
    JournalWriter::Change look = [&](JournalDatabase& database) { found = half_way_in(database); };
    const auto looked = co_await writer_.commit(std::move(look));
    if (!looked) co_return looked.error();
    co_return found;
}

asio::awaitable<Result<void>> Journal::begin(HalfWay begun, const std::vector<Live>& former) {
    auto change = beginning(std::move(begun), former);
    if (!change) co_return change.error();
    co_return co_await writer_.commit(std::move(*change));
}

asio::awaitable<Result<void>> Journal::begin_with_step(HalfWay begun,
                                                       const std::vector<Live>& former,
                                                       const Step& step) {
    const std::string key = begun.key;
    auto begin = beginning(std::move(begun), former);
    if (!begin) co_return begin.error();
    const auto sealed = sealed_step(key, 0, step);
    if (!sealed) co_return sealed.error();
    JournalWriter::Change change = [&](JournalDatabase& database) {
        (*begin)(database);
        insert_step(database, key, 0, step, *sealed);
    };
    co_return co_await writer_.commit(std::move(change));
}

asio::awaitable<Result<void>> Journal::add_step(std::string key, std::size_t number,
                                                const Step& step) {
    const auto place = static_cast<std::int64_t>(number);
    const auto sealed = sealed_step(key, place, step);
    if (!sealed) co_return sealed.error();
    JournalWriter::Change change = [&](JournalDatabase& database) {
        insert_step(database, key, place, step, *sealed);
    };
    co_return co_await writer_.commit(std::move(change));
}

Result<std::vector<std::byte>> Journal::sealed_step(const std::string& key, std::int64_t place,
                                                    const Step& step) const {
    return key_.seal(encode(step).bytes(), about_step(key, place));
}

asio::awaitable<Result<void>> Journal::mark_undone(std::string key, std::size_t number) {
    JournalWriter::Change change = [&](JournalDatabase& database) {
        database.run("UPDATE step SET undone = 1 WHERE key = ? AND number = ?", key,
                     static_cast<std::int64_t>(number));
    };
    co_return co_await writer_.commit(std::move(change));
}

asio::awaitable<Result<void>> Journal::prove(std::string key) {
    JournalWriter::Change change = [&](JournalDatabase& database) {
        database.run("UPDATE unsettled SET proven = 1 WHERE key = ?", key);
    };
    co_return co_await writer_.commit(std::move(change));
}

asio::awaitable<Result<void>> Journal::settle(std::string key, std::int64_t since) {
    JournalWriter::Change change = [&](JournalDatabase& database) { forget(database, key, since); };
    co_return co_await writer_.commit(std::move(change));
}

asio::awaitable<Result<void>> Journal::set_state(std::string key, const PluginState& state) {
    const auto sealed = key_.seal(state.bytes.bytes(), about_state(key));
    if (!sealed) co_return sealed.error();
    JournalWriter::Change change = [&](JournalDatabase& database) {
        database.run("INSERT OR REPLACE INTO state (key, version, sealed) VALUES (?, ?, ?)", key,
                     state.version, *sealed);
    };
    co_return co_await writer_.commit(std::move(change));
}

Result<JournalWriter::Change> Journal::beginning(HalfWay begun,
                                                 const std::vector<Live>& former) const {
    auto sealed = key_.seal(encode(former).bytes(), about_former(begun.key));
    if (!sealed) return sealed.error();
    return JournalWriter::Change(
        [begun = std::move(begun), sealed = std::move(*sealed)](JournalDatabase& database) {
            database.run(
                "INSERT INTO unsettled (key, deployment, pipeline_file, since, former) "
                "VALUES (?, ?, ?, ?, ?)",
                begun.key, begun.deployment, begun.pipeline_file, begun.since, sealed);
            for (const std::string& place : begun.places) {
                database.run("INSERT INTO place (place, key) VALUES (?, ?)", place, begun.key);
            }
        });
}

namespace {

template <typename Record>
JournalWriter::Change writing(Record record) {
    return [record = std::move(record)](JournalDatabase& database) { write(database, record); };
}

}  // namespace

void Journal::record(RunStarted started) {
    writer_.queue(writing(std::move(started)));
}

void Journal::record(Queued queued) {
    writer_.queue(writing(std::move(queued)));
}

void Journal::record(AttemptStarted started) {
    writer_.queue(writing(std::move(started)));
}

void Journal::record(AttemptFinished finished) {
    writer_.queue(writing(std::move(finished)));
}

void Journal::record(LoggedLine line) {
    if (writer_.backlog() > largest_backlog) {
        ++lines_left_out_;
        return;
    }
    if (lines_left_out_ > 0) {
        line.message.insert(0, "(" + std::to_string(std::exchange(lines_left_out_, 0)) +
                                   " lines left out here, because the disk is too slow) ");
    }
    const std::size_t size = line.message.size() + sizeof line;
    writer_.queue(writing(std::move(line)), size);
}

void Journal::record(DeploymentFinished finished) {
    writer_.queue(writing(std::move(finished)));
}

void Journal::record(RunFinished finished) {
    writer_.queue(writing(std::move(finished)));
}

asio::awaitable<Result<void>> Journal::flush() {
    JournalWriter::Change nothing = [](JournalDatabase&) {};
    const Result<void> written = co_await writer_.commit(std::move(nothing));
    const auto lost = writer_.lost();
    co_return lost ? Result<void>(*lost) : written;
}

}  // namespace certcast
