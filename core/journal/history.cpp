#include "core/journal/history.hpp"

#include "core/journal/history_writing.hpp"
#include "core/journal/journal_file.hpp"

#include <utility>

namespace certcast {

namespace {

constexpr const char* select_run = R"(
SELECT name, pipeline, pipeline_file, started, coalesce(finished, 0), coalesce(status, ''),
    (SELECT count(*) FROM deployment WHERE run = run.id),
    (SELECT count(*) FROM deployment WHERE run = run.id
        AND status IN ('changed', 'unchanged', 'deferred'))
FROM run )";

PastRun run_in(SQLite::Statement& row) {
    PastRun run;
    run.name = row.getColumn(0).getString();
    run.pipeline = row.getColumn(1).getString();
    run.pipeline_file = row.getColumn(2).getString();
    run.started = row.getColumn(3).getInt64();
    run.finished = row.getColumn(4).getInt64();
    run.status = row.getColumn(5).getString();
    run.deployments = row.getColumn(6).getUInt();
    run.succeeded = row.getColumn(7).getUInt();
    return run;
}

std::vector<std::pair<std::string, std::string>> outputs_of(const SQLite::Database& database,
                                                            std::int64_t deployment) {
    std::vector<std::pair<std::string, std::string>> outputs;
    SQLite::Statement row(database,
                          "SELECT name, value FROM output WHERE deployment = ? ORDER BY rowid");
    row.bind(1, deployment);
    while (row.executeStep()) {
        outputs.emplace_back(row.getColumn(0).getString(), row.getColumn(1).getString());
    }
    return outputs;
}

PastDeployment deployment_in(const SQLite::Database& database, SQLite::Statement& row) {
    PastDeployment one;
    one.name = row.getColumn(1).getString();
    one.plugin = row.getColumn(2).getString();
    one.target = row.getColumn(3).getString();
    one.began = row.getColumn(4).getInt64();
    one.ended = row.getColumn(5).getInt64();
    one.status = row.getColumn(6).getString();
    one.reason = row.getColumn(7).getString();
    one.message = row.getColumn(8).getString();
    one.rollback = row.getColumn(9).getString();
    one.rollback_message = row.getColumn(10).getString();
    one.proof = row.getColumn(11).getString();
    one.attempts = row.getColumn(12).getUInt();
    one.duration_ms = row.getColumn(13).getInt64();
    one.outputs = outputs_of(database, row.getColumn(0).getInt64());
    return one;
}

}  // namespace

Result<History> History::open(const std::filesystem::path& folder) {
    auto database = read_journal(folder);
    if (!database) return database.error();
    return History(std::move(*database), folder / "journal.db");
}

History::History(std::unique_ptr<JournalDatabase> database, std::filesystem::path file)
    : database_(std::move(database)), file_(std::move(file)) {}
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;
History::~History() = default;

template <typename T, typename Read>
Result<T> History::reading(Read read) const {
    try {
        return read(database_->sqlite());
    } catch (const SQLite::Exception& exception) {
        return journal_error(exception, file_);
    }
}

Result<std::vector<PastRun>> History::runs(const std::string& pipeline_file,
                                           std::uint32_t most) const {
    return reading<std::vector<PastRun>>([&](const SQLite::Database& database) {
        SQLite::Statement row(database,
                              std::string(select_run) +
                                  "WHERE ?1 = '' OR pipeline_file = ?1 ORDER BY id DESC LIMIT ?2");
        row.bind(1, pipeline_file);
        row.bind(2, most);
        std::vector<PastRun> runs;
        while (row.executeStep()) runs.push_back(run_in(row));
        return runs;
    });
}

Result<PastRun> History::run(const std::string& name) const {
    using Found = std::vector<PastRun>;
    const auto found = reading<Found>([&](const SQLite::Database& database) {
        const std::string which = name == "last" ? "ORDER BY id DESC LIMIT 1"
                                                 : "WHERE substr(name, 1, length(?1)) = ?1 LIMIT 5";
        SQLite::Statement row(database, select_run + which);
        if (name != "last") row.bind(1, name);
        Found runs;
        while (row.executeStep()) runs.push_back(run_in(row));
        return runs;
    });
    if (!found) return found.error();
    if (found->size() == 1) return found->front();
    if (found->empty()) {
        return Error{ErrorCode::not_found,
                     "no run is called \"" + name + "\"; `certcast history` lists them",
                     {}};
    }
    std::string fitting;
    for (const PastRun& run : *found) {
        if (run.name == name) return run;
        fitting += (fitting.empty() ? "" : ", ") + run.name;
    }
    return Error{ErrorCode::invalid, "several runs begin with \"" + name + "\": " + fitting, {}};
}

Result<std::vector<PastDeployment>> History::deployments(const std::string& run) const {
    return reading<std::vector<PastDeployment>>([&](const SQLite::Database& database) {
        SQLite::Statement row(
            database,
            "SELECT deployment.id, deployment.name, plugin, target, coalesce(began, 0), "
            "coalesce(ended, 0), coalesce(deployment.status, ''), reason, message, rollback, "
            "rollback_message, proof, attempts, duration_ms FROM deployment "
            "JOIN run ON run.id = deployment.run WHERE run.name = ? ORDER BY deployment.id");
        row.bind(1, run);
        std::vector<PastDeployment> all;
        while (row.executeStep()) all.push_back(deployment_in(database, row));
        return all;
    });
}

Result<std::vector<PastLine>> History::log(const std::string& run,
                                           const std::string& deployment) const {
    return reading<std::vector<PastLine>>([&](const SQLite::Database& database) {
        SQLite::Statement row(database,
                              "SELECT at, level, log.message FROM log "
                              "JOIN deployment ON deployment.id = log.deployment "
                              "JOIN run ON run.id = deployment.run "
                              "WHERE run.name = ? AND deployment.name = ? ORDER BY log.id");
        row.bind(1, run);
        row.bind(2, deployment);
        std::vector<PastLine> lines;
        while (row.executeStep()) {
            lines.push_back({row.getColumn(0).getInt64(), row.getColumn(1).getString(),
                             row.getColumn(2).getString()});
        }
        return lines;
    });
}

Result<std::vector<KnownCertificate>> History::certificates(
    const std::string& pipeline_file) const {
    return reading<std::vector<KnownCertificate>>([&](const SQLite::Database& database) {
        SQLite::Statement row(
            database,
            "SELECT deployment, certificate, wanted, wanted_since, wanted_not_after, observed, "
            "coalesce(observed_since, 0), coalesce(observed_at, 0), observed_not_after, seen_by "
            "FROM certificate WHERE pipeline_file = ? ORDER BY deployment, certificate");
        row.bind(1, pipeline_file);
        std::vector<KnownCertificate> all;
        while (row.executeStep()) {
            KnownCertificate& one = all.emplace_back();
            one.deployment = row.getColumn(0).getString();
            one.wanted = {row.getColumn(1).getString(), row.getColumn(2).getString(),
                          row.getColumn(4).getInt64()};
            one.wanted_since = row.getColumn(3).getInt64();
            one.observed = {row.getColumn(1).getString(), row.getColumn(5).getString(),
                            row.getColumn(8).getInt64(), row.getColumn(9).getString()};
            one.observed_since = row.getColumn(6).getInt64();
            one.observed_at = row.getColumn(7).getInt64();
        }
        return all;
    });
}

Result<std::map<std::string, LatestEnd>> History::latest(const std::string& pipeline_file) const {
    using Found = std::map<std::string, LatestEnd>;
    return reading<Found>([&](const SQLite::Database& database) {
        SQLite::Statement row(
            database,
            "SELECT deployment.name, run.name, coalesce(deployment.status, ''), "
            "max(deployment.id), digest FROM deployment JOIN run ON run.id = deployment.run "
            "WHERE pipeline_file = ? GROUP BY deployment.name");
        row.bind(1, pipeline_file);
        Found found;
        while (row.executeStep()) {
            found[row.getColumn(0).getString()] = {row.getColumn(1).getString(),
                                                   row.getColumn(2).getString(),
                                                   row.getColumn(4).getString()};
        }
        return found;
    });
}

Result<std::set<std::string>> History::queued(const std::string& pipeline_file) const {
    return reading<std::set<std::string>>([&](const SQLite::Database& database) {
        SQLite::Statement row(database, "SELECT deployment FROM queued WHERE pipeline_file = ?");
        row.bind(1, pipeline_file);
        std::set<std::string> names;
        while (row.executeStep()) names.insert(row.getColumn(0).getString());
        return names;
    });
}

std::map<std::string, HalfWay> half_way_in(const JournalDatabase& database) {
    SQLite::Statement row(database.sqlite(),
                          "SELECT key, deployment, pipeline_file, since FROM unsettled");
    std::map<std::string, HalfWay> found;
    while (row.executeStep()) {
        std::string key = row.getColumn(0).getString();
        found[key] = {key,
                      row.getColumn(1).getString(),
                      row.getColumn(2).getString(),
                      row.getColumn(3).getInt64(),
                      {}};
    }
    SQLite::Statement place(database.sqlite(), "SELECT key, place FROM place ORDER BY key, place");
    while (place.executeStep()) {
        const auto one = found.find(place.getColumn(0).getString());
        if (one != found.end()) one->second.places.push_back(place.getColumn(1).getString());
    }
    return found;
}

Result<std::map<std::string, HalfWay>> History::half_way() const {
    return reading<std::map<std::string, HalfWay>>(
        [&](const SQLite::Database&) { return half_way_in(*database_); });
}

namespace {

/// In one transaction. What `change` gives.
template <typename Change>
Result<int> changing(const std::filesystem::path& folder, Change change) {
    auto database = open_journal(folder);
    if (!database) return database.error();
    try {
        SQLite::Transaction transaction((*database)->sqlite(),
                                        SQLite::TransactionBehavior::IMMEDIATE);
        const int changed = change(**database);
        transaction.commit();
        return changed;
    } catch (const SQLite::Exception& exception) {
        return journal_error(exception, folder / "journal.db");
    }
}

}  // namespace

Result<void> forget_half_way(const std::filesystem::path& folder, const HalfWay& one) {
    const auto forgotten = changing(
        folder, [&](JournalDatabase& database) { return forget(database, one.key, one.since); });
    if (!forgotten) return forgotten.error();
    return {};
}

Result<int> prune_history(const std::filesystem::path& folder, std::int64_t started_before,
                          std::int64_t most_runs) {
    return changing(folder, [&](JournalDatabase& database) {
        return prune(database, started_before, most_runs);
    });
}

}  // namespace certcast
