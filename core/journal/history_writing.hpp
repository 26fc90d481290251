#pragma once

#include "core/journal/records.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

namespace certcast {

// Each writes one record in the transaction that is open. Throws SQLite::Exception.
void write(SQLite::Database& database, const RunStarted& started);
void write(SQLite::Database& database, const AttemptStarted& started);
void write(SQLite::Database& database, const AttemptFinished& finished);
void write(SQLite::Database& database, const LoggedLine& line);
void write(SQLite::Database& database, const DeploymentFinished& finished);
/// Also forgets runs that are long gone.
void write(SQLite::Database& database, const RunFinished& finished);

/// Forgets runs that were started before, and all but the newest ones. How many it has forgotten.
int prune(SQLite::Database& database, std::int64_t started_before, std::int64_t most_runs);

}  // namespace certcast
