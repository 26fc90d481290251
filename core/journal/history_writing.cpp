#include "core/journal/history_writing.hpp"

namespace certcast {

namespace {

// What is kept, unless the operator prunes more: the longest audit period that is usual, and about
// as many runs as a renewal every eight hours makes in it.
constexpr std::int64_t longest_kept_ms = std::int64_t{400} * 24 * 60 * 60 * 1000;
constexpr int most_kept_runs = 1'200;

/// The deployment of a run, as the condition of a statement whose first two parameters are the
/// run's and the deployment's name.
constexpr const char* this_deployment =
    "(SELECT deployment.id FROM deployment JOIN run ON run.id = deployment.run "
    "WHERE run.name = ?1 AND deployment.name = ?2)";

SQLite::Statement of_deployment(SQLite::Database& database, const std::string& before,
                                const std::string& behind, const std::string& run,
                                const std::string& deployment) {
    SQLite::Statement statement(database, before + this_deployment + behind);
    statement.bind(1, run);
    statement.bind(2, deployment);
    return statement;
}

void write_wanted(SQLite::Database& database, const RunStarted& started,
                  const std::string& deployment, const WantedCertificate& wanted) {
    SQLite::Statement insert(
        database,
        "INSERT INTO certificate (pipeline_file, deployment, certificate, wanted, wanted_since, "
        "wanted_not_after) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT DO UPDATE SET wanted = ?4, wanted_not_after = ?6, "
        "wanted_since = CASE WHEN wanted = ?4 THEN wanted_since ELSE ?5 END");
    insert.bind(1, started.pipeline_file);
    insert.bind(2, deployment);
    insert.bind(3, wanted.name);
    insert.bind(4, wanted.sha256);
    insert.bind(5, started.at);
    insert.bind(6, wanted.not_after);
    insert.exec();
}

void write_observed(SQLite::Database& database, const DeploymentFinished& finished,
                    const ObservedCertificate& observed) {
    SQLite::Statement update(
        database,
        "UPDATE certificate SET "
        "observed_since = CASE WHEN observed = ?4 THEN coalesce(observed_since, ?5) ELSE ?5 END, "
        "observed = ?4, observed_at = ?5, observed_not_after = ?6, seen_by = ?7 "
        "WHERE pipeline_file = ?1 AND deployment = ?2 AND certificate = ?3");
    update.bind(1, finished.pipeline_file);
    update.bind(2, finished.deployment);
    update.bind(3, observed.name);
    update.bind(4, observed.sha256);
    update.bind(5, finished.at);
    update.bind(6, observed.not_after);
    update.bind(7, observed.seen_by);
    update.exec();
}

}  // namespace

void write(SQLite::Database& database, const RunStarted& started) {
    SQLite::Statement run(
        database, "INSERT INTO run (name, pipeline, pipeline_file, started) VALUES (?, ?, ?, ?)");
    run.bind(1, started.run);
    run.bind(2, started.pipeline);
    run.bind(3, started.pipeline_file);
    run.bind(4, started.at);
    run.exec();
    const std::int64_t id = database.getLastInsertRowid();
    SQLite::Statement deployment(
        database, "INSERT INTO deployment (run, name, plugin, target) VALUES (?, ?, ?, ?)");
    for (const RunStarted::Planned& one : started.deployments) {
        deployment.bind(1, id);
        deployment.bind(2, one.name);
        deployment.bind(3, one.plugin);
        deployment.bind(4, one.target);
        deployment.exec();
        deployment.reset();
        for (const WantedCertificate& wanted : one.certificates) {
            write_wanted(database, started, one.name, wanted);
        }
    }
}

void write(SQLite::Database& database, const AttemptStarted& started) {
    SQLite::Statement insert =
        of_deployment(database, "INSERT INTO attempt (deployment, number, began) VALUES (",
                      ", ?3, ?4)", started.run, started.deployment);
    insert.bind(3, started.attempt);
    insert.bind(4, started.at);
    insert.exec();
    SQLite::Statement update =
        of_deployment(database, "UPDATE deployment SET began = coalesce(began, ?3) WHERE id = ", "",
                      started.run, started.deployment);
    update.bind(3, started.at);
    update.exec();
}

void write(SQLite::Database& database, const AttemptFinished& finished) {
    SQLite::Statement update = of_deployment(
        database,
        "UPDATE attempt SET ended = ?4, outcome = ?5, message = ?6 WHERE number = ?3 AND "
        "deployment = ",
        "", finished.run, finished.deployment);
    update.bind(3, finished.attempt);
    update.bind(4, finished.at);
    update.bind(5, finished.outcome);
    update.bind(6, finished.message);
    update.exec();
}

void write(SQLite::Database& database, const LoggedLine& line) {
    SQLite::Statement insert =
        of_deployment(database, "INSERT INTO log (deployment, at, level, message) VALUES (",
                      ", ?3, ?4, ?5)", line.run, line.deployment);
    insert.bind(3, line.at);
    insert.bind(4, line.level);
    insert.bind(5, line.message);
    insert.exec();
}

void write(SQLite::Database& database, const DeploymentFinished& finished) {
    SQLite::Statement update = of_deployment(
        database,
        "UPDATE deployment SET ended = ?3, status = ?4, reason = ?5, message = ?6, rollback = ?7, "
        "rollback_message = ?8, proof = ?9, attempts = ?10, duration_ms = ?11 WHERE id = ",
        "", finished.run, finished.deployment);
    update.bind(3, finished.at);
    update.bind(4, finished.status);
    update.bind(5, finished.reason);
    update.bind(6, finished.message);
    update.bind(7, finished.rollback);
    update.bind(8, finished.rollback_message);
    update.bind(9, finished.proof);
    update.bind(10, finished.attempts);
    update.bind(11, finished.duration_ms);
    update.exec();
    for (const auto& [name, value] : finished.outputs) {
        SQLite::Statement output =
            of_deployment(database, "INSERT INTO output (deployment, name, value) VALUES (",
                          ", ?3, ?4)", finished.run, finished.deployment);
        output.bind(3, name);
        output.bind(4, value);
        output.exec();
    }
    for (const ObservedCertificate& observed : finished.certificates) {
        write_observed(database, finished, observed);
    }
}

void write(SQLite::Database& database, const RunFinished& finished) {
    SQLite::Statement update(database, "UPDATE run SET finished = ?, status = ? WHERE name = ?");
    update.bind(1, finished.at);
    update.bind(2, finished.status);
    update.bind(3, finished.run);
    update.exec();
    prune(database, finished.at - longest_kept_ms, most_kept_runs);
}

int prune(SQLite::Database& database, std::int64_t started_before, std::int64_t most_runs) {
    SQLite::Statement remove(database,
                             "DELETE FROM run WHERE started < ?1 OR id NOT IN "
                             "(SELECT id FROM run ORDER BY id DESC LIMIT ?2)");
    remove.bind(1, started_before);
    remove.bind(2, most_runs);
    return remove.exec();
}

}  // namespace certcast
