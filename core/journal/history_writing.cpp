#include "core/journal/history_writing.hpp"

namespace certcast {

namespace {

// What is kept, unless the operator prunes more: somewhat more than a year, and about as many runs
// as a renewal every eight hours makes in it.
constexpr std::int64_t longest_kept_ms = std::int64_t{400} * 24 * 60 * 60 * 1000;
constexpr std::int64_t most_kept_runs = 1'200;

// The deployment that a statement is about, whose first two values are the names of its run and
// its own.
#define THIS_DEPLOYMENT                                                          \
    "(SELECT deployment.id FROM deployment JOIN run ON run.id = deployment.run " \
    "WHERE run.name = ?1 AND deployment.name = ?2)"

void write_wanted(JournalDatabase& database, const std::string& pipeline_file,
                  const std::string& deployment, std::int64_t at, const WantedCertificate& wanted) {
    database.run(
        "INSERT INTO certificate (pipeline_file, deployment, certificate, wanted, wanted_since, "
        "wanted_not_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT DO UPDATE SET wanted = ?4, wanted_not_after = ?6, "
        "wanted_since = CASE WHEN wanted = ?4 THEN wanted_since ELSE ?5 END",
        pipeline_file, deployment, wanted.name, wanted.sha256, at, wanted.not_after);
}

void write_observed(JournalDatabase& database, const DeploymentFinished& finished,
                    const ObservedCertificate& observed) {
    database.run(
        "UPDATE certificate SET "
        "observed_since = CASE WHEN observed = ?4 THEN coalesce(observed_since, ?5) ELSE ?5 END, "
        "observed = ?4, observed_at = ?5, observed_not_after = ?6, seen_by = ?7 "
        "WHERE pipeline_file = ?1 AND deployment = ?2 AND certificate = ?3",
        finished.pipeline_file, finished.deployment, observed.name, observed.sha256, finished.at,
        observed.not_after, observed.seen_by);
}

}  // namespace

void write(JournalDatabase& database, const RunStarted& started) {
    database.run("INSERT INTO run (name, pipeline, pipeline_file, started) VALUES (?, ?, ?, ?)",
                 started.run, started.pipeline, started.pipeline_file, started.at);
    const std::int64_t id = database.sqlite().getLastInsertRowid();
    for (const RunStarted::Planned& one : started.deployments) {
        database.run(
            "INSERT INTO deployment (run, name, plugin, target, digest) VALUES (?, ?, ?, ?, ?)", id,
            one.name, one.plugin, one.target, one.digest);
        for (const WantedCertificate& wanted : one.certificates) {
            write_wanted(database, started.pipeline_file, one.name, started.at, wanted);
        }
    }
}

void write(JournalDatabase& database, const Queued& queued) {
    database.run(
        "INSERT OR REPLACE INTO queued (pipeline_file, deployment, since) VALUES (?, ?, ?)",
        queued.pipeline_file, queued.deployment, queued.at);
    for (const WantedCertificate& wanted : queued.certificates) {
        write_wanted(database, queued.pipeline_file, queued.deployment, queued.at, wanted);
    }
}

void write(JournalDatabase& database, const AttemptStarted& started) {
    database.run("INSERT INTO attempt (deployment, number, began) VALUES (" THIS_DEPLOYMENT
                 ", ?3, ?4)",
                 started.run, started.deployment, started.attempt, started.at);
    database.run("UPDATE deployment SET began = coalesce(began, ?3) WHERE id = " THIS_DEPLOYMENT,
                 started.run, started.deployment, started.at);
}

void write(JournalDatabase& database, const AttemptFinished& finished) {
    database.run(
        "UPDATE attempt SET ended = ?4, outcome = ?5, message = ?6 "
        "WHERE number = ?3 AND deployment = " THIS_DEPLOYMENT,
        finished.run, finished.deployment, finished.attempt, finished.at, finished.outcome,
        finished.message);
}

void write(JournalDatabase& database, const LoggedLine& line) {
    database.run("INSERT INTO log (deployment, at, level, message) VALUES (" THIS_DEPLOYMENT
                 ", ?3, ?4, ?5)",
                 line.run, line.deployment, line.at, line.level, line.message);
}

void write(JournalDatabase& database, const DeploymentFinished& finished) {
    database.run(
        "UPDATE deployment SET ended = ?3, status = ?4, reason = ?5, message = ?6, rollback = ?7, "
        "rollback_message = ?8, proof = ?9, attempts = ?10, duration_ms = ?11 "
        "WHERE id = " THIS_DEPLOYMENT,
        finished.run, finished.deployment, finished.at, finished.status, finished.reason,
        finished.message, finished.rollback, finished.rollback_message, finished.proof,
        finished.attempts, finished.duration_ms);
    if (has_succeeded(finished.status)) {
        database.run("DELETE FROM queued WHERE pipeline_file = ? AND deployment = ? AND since < ?",
                     finished.pipeline_file, finished.deployment, finished.wanted_at);
    }
    for (const auto& [name, value] : finished.outputs) {
        database.run("INSERT INTO output (deployment, name, value) VALUES (" THIS_DEPLOYMENT
                     ", ?3, ?4)",
                     finished.run, finished.deployment, name, value);
    }
    for (const ObservedCertificate& observed : finished.certificates) {
        write_observed(database, finished, observed);
    }
}

void write(JournalDatabase& database, const RunFinished& finished) {
    database.run("UPDATE run SET finished = ?, status = ? WHERE name = ?", finished.at,
                 finished.status, finished.run);
    prune(database, finished.at - longest_kept_ms, most_kept_runs);
}

int forget(JournalDatabase& database, const std::string& key, std::int64_t since) {
    return database.run("DELETE FROM unsettled WHERE key = ? AND since = ?", key, since);
}

int prune(JournalDatabase& database, std::int64_t started_before, std::int64_t most_runs) {
    return database.run(
        "DELETE FROM run WHERE started < ? OR (finished IS NOT NULL AND id NOT IN "
        "(SELECT id FROM run ORDER BY id DESC LIMIT ?))",
        started_before, most_runs);
}

#undef THIS_DEPLOYMENT

}  // namespace certcast
