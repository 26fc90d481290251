#pragma once

#include "core/journal/journal_database.hpp"
#include "core/journal/records.hpp"

namespace certcast {

// Each writes one record in the transaction that is open. Throws SQLite::Exception.
void write(JournalDatabase& database, const RunStarted& started);
void write(JournalDatabase& database, const Queued& queued);
void write(JournalDatabase& database, const AttemptStarted& started);
void write(JournalDatabase& database, const AttemptFinished& finished);
void write(JournalDatabase& database, const LoggedLine& line);
void write(JournalDatabase& database, const DeploymentFinished& finished);
/// Also forgets runs that are long gone.
void write(JournalDatabase& database, const RunFinished& finished);

/// Forgets what was begun then, with its steps. How many there were.
int forget(JournalDatabase& database, const std::string& key, std::int64_t since);

/// Forgets runs that were started before, and all but the newest ones. How many it has forgotten.
int prune(JournalDatabase& database, std::int64_t started_before, std::int64_t most_runs);

}  // namespace certcast
