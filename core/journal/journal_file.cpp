#include "core/journal/journal_file.hpp"

#include "core/base/fd.hpp"
#include "core/base/folder_lock.hpp"
#include "core/base/private_folder.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <sstream>
#include <string>

namespace certcast {

namespace fs = std::filesystem;

namespace {

constexpr int application = 0x63637374;  // "ccst"

// Times are milliseconds since 1970. What is known of a deployment beyond its run hangs on `key`:
// what it deploys to, so that renaming it changes nothing.
constexpr const char* first_schema = R"(
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    pipeline TEXT NOT NULL,
    pipeline_file TEXT NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER,
    status TEXT
);
CREATE INDEX run_of_pipeline ON run (pipeline_file, id);
CREATE TABLE deployment (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name TEXT NOT NULL,
    plugin TEXT NOT NULL,
    target TEXT NOT NULL,
    digest TEXT NOT NULL,
    began INTEGER,
    ended INTEGER,
    status TEXT,
    reason TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT '',
    rollback TEXT NOT NULL DEFAULT 'none',
    rollback_message TEXT NOT NULL DEFAULT '',
    proof TEXT NOT NULL DEFAULT 'none',
    attempts INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (run, name)
);
CREATE TABLE attempt (
    deployment INTEGER NOT NULL REFERENCES deployment ON DELETE CASCADE,
    number INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    outcome TEXT,
    message TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (deployment, number)
) WITHOUT ROWID;
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    deployment INTEGER NOT NULL REFERENCES deployment ON DELETE CASCADE,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX log_of_deployment ON log (deployment, id);
CREATE TABLE output (
    deployment INTEGER NOT NULL REFERENCES deployment ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX output_of_deployment ON output (deployment);
CREATE TABLE certificate (
    pipeline_file TEXT NOT NULL,
    deployment TEXT NOT NULL,
    certificate TEXT NOT NULL,
    wanted TEXT NOT NULL,
    wanted_since INTEGER NOT NULL,
    wanted_not_after INTEGER NOT NULL,
    observed TEXT NOT NULL DEFAULT '',
    observed_since INTEGER,
    observed_at INTEGER,
    observed_not_after INTEGER NOT NULL DEFAULT 0,
    seen_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (pipeline_file, deployment, certificate)
) WITHOUT ROWID;
CREATE TABLE unsettled (
    key TEXT PRIMARY KEY,
    deployment TEXT NOT NULL,
    since INTEGER NOT NULL,
    former BLOB
) WITHOUT ROWID;
CREATE TABLE step (
    key TEXT NOT NULL REFERENCES unsettled ON DELETE CASCADE,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    sealed BLOB NOT NULL,
    PRIMARY KEY (key, number)
);
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    sealed BLOB NOT NULL
);
)";

// Whose it is that was begun, whether only the cleaning up is left of it, and what it deploys to,
// one by one: another deployment may share some of that. What is queued is to be deployed by the
// next run, whatever its last one came to.
constexpr const char* second_schema = R"(
ALTER TABLE unsettled ADD COLUMN pipeline_file TEXT NOT NULL DEFAULT '';
ALTER TABLE unsettled ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;
CREATE TABLE place (
    place TEXT NOT NULL,
    key TEXT NOT NULL REFERENCES unsettled ON DELETE CASCADE,
    PRIMARY KEY (place, key)
) WITHOUT ROWID;
CREATE INDEX place_of_key ON place (key);
CREATE TABLE queued (
    pipeline_file TEXT NOT NULL,
    deployment TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (pipeline_file, deployment)
) WITHOUT ROWID;
)";

/// What makes each schema of the one before.
constexpr std::array schemas{first_schema, second_schema};
constexpr int newest_schema = static_cast<int>(schemas.size());

int number_from(SQLite::Database& database, const char* pragma) {
    return database.execAndGet(pragma).getInt();
}

/// A key is a plugin and, line by line, the places that it deploys to.
void find_places(SQLite::Database& database) {
    SQLite::Statement row(database, "SELECT key FROM unsettled");
    while (row.executeStep()) {
        const std::string key = row.getColumn(0).getString();
        std::istringstream lines(key.substr(std::min(key.find('\n'), key.size() - 1) + 1));
        for (std::string place; std::getline(lines, place);) {
            if (place.find('|') == std::string::npos) continue;  // there are none
            SQLite::Statement insert(database, "INSERT OR IGNORE INTO place VALUES (?, ?)");
            insert.bind(1, place);
            insert.bind(2, key);
            insert.exec();
        }
    }
}

/// REQUIRES: a transaction that may write.
Result<void> migrate(SQLite::Database& database, const fs::path& file) {
    const int schema = number_from(database, "PRAGMA user_version");
    if (schema == newest_schema) return {};
    if (schema > newest_schema) {
        return Error{ErrorCode::invalid,
                     "it was written by a newer certcast (schema " + std::to_string(schema) +
                         "; this one knows " + std::to_string(newest_schema) +
                         "): use that one, or move the file away",
                     file.string()};
    }
    for (int from = schema; from < newest_schema; ++from) {
        database.exec(schemas[static_cast<std::size_t>(from)]);
    }
    if (schema == 1) find_places(database);
    database.exec("PRAGMA application_id = " + std::to_string(application));
    database.exec("PRAGMA user_version = " + std::to_string(newest_schema));
    return {};
}

/// What decides about rollbacks is looked at whole; the rest when it is read.
Result<void> check_soundness(SQLite::Database& database, const fs::path& file) {
    for (const char* table : {"unsettled", "step", "place", "state"}) {
        const std::string found =
            database.execAndGet(std::string("PRAGMA quick_check('") + table + "')").getString();
        if (found != "ok") {
            return Error{ErrorCode::invalid,
                         "it is damaged (" + found +
                             "): restore it from a backup, or move it away and with it what was "
                             "not settled",
                         file.string()};
        }
    }
    return {};
}

Result<void> make_file(const fs::path& file) {
    const Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return system_error("cannot open the journal", errno, file.string());
    return {};
}

Error nowhere() {
    return {ErrorCode::not_found,
            "there is no place for the journal: set XDG_STATE_HOME or HOME, or give --no-journal",
            {}};
}

int give_to_nobody(int, uid_t, gid_t) {
    return 0;
}

/// Run by root, SQLite gives the files beside a database to its owner even when it only reads. Here
/// they are the same user's, and to whom they belong already is a change, too.
void keep_owners() {
    sqlite3_vfs* const system = sqlite3_vfs_find(nullptr);
    if (system == nullptr || system->iVersion < 3) return;
    const auto replacement = reinterpret_cast<sqlite3_syscall_ptr>(&give_to_nobody);
    system->xSetSystemCall(system, "fchown", replacement);
}

/// What means something in a URI goes by its number.
std::string in_uri(const std::string& path) {
    std::string text;
    for (const char c : path) {
        if (c == '%' || c == '?' || c == '#') {
            char escaped[4];
            std::snprintf(escaped, sizeof escaped, "%%%02X", static_cast<unsigned>(c));
            text += escaped;
        } else {
            text += c;
        }
    }
    return text;
}

Result<void> prepare(SQLite::Database& database, const fs::path& file) {
    const int owner = number_from(database, "PRAGMA application_id");
    const bool is_new = number_from(database, "PRAGMA schema_version") == 0;
    if (!is_new && owner != application) {
        return Error{ErrorCode::invalid, "it is the database of another program: move it away",
                     file.string()};
    }
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    if (auto migrated = migrate(database, file); !migrated) return migrated;
    if (auto sound = check_soundness(database, file); !sound) return sound;
    transaction.commit();
    return {};
}

}  // namespace

Error journal_error(const SQLite::Exception& exception, const fs::path& file) {
    const std::string said = exception.what();
    const auto because = [&](ErrorCode code, const std::string& what) {
        return Error{code, "the journal " + what + " (SQLite: " + said + ")", file.string()};
    };
    switch (exception.getErrorCode()) {
        case SQLITE_FULL:
            return because(ErrorCode::io, "cannot be written, because the disk is full");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return because(ErrorCode::io, "is locked by another program: end that one");
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return because(ErrorCode::invalid,
                           "is damaged, or no journal: restore it from a backup, or move it away "
                           "and with it what was not settled");
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return because(ErrorCode::io, "cannot be opened for writing");
        default:
            return because(ErrorCode::io, "cannot be used");
    }
}

Result<std::unique_ptr<JournalDatabase>> open_journal(const fs::path& folder, Duration patience) {
    if (folder.empty()) return nowhere();
    const fs::path file = folder / "journal.db";
    if (auto made = make_private_folder(folder); !made) return made.error();
    // SQLite makes a new file one with a write-ahead log only while nobody else has it open, and
    // waits for nobody then.
    const Fd lock = lock_folder(folder, patience);
    if (!lock) {
        return Error{ErrorCode::io,
                     "another certcast is opening the journal and does not end: end it",
                     folder.string()};
    }
    if (auto made = make_file(file); !made) return made.error();
    try {
        auto database = std::make_unique<JournalDatabase>(
            file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX,
            static_cast<int>(patience.count()));
        if (auto prepared = prepare(database->sqlite(), file); !prepared) return prepared.error();
        return database;
    } catch (const SQLite::Exception& exception) {
        return journal_error(exception, file);
    }
}

Result<std::unique_ptr<JournalDatabase>> read_journal(const fs::path& folder) {
    if (folder.empty()) return nowhere();
    const fs::path file = folder / "journal.db";
    std::error_code failure;
    const auto size = fs::file_size(file, failure);
    if (failure || (size == 0 && !fs::exists(file.string() + "-wal", failure))) {
        return Error{ErrorCode::not_found, "there is no journal yet", file.string()};
    }
    // Where nobody has it open and nobody was killed there is no log that has to be read as well.
    const bool has_log = fs::exists(file.string() + "-wal", failure);
    if (has_log && !fs::exists(file.string() + "-shm", failure)) {
        return Error{ErrorCode::io,
                     "it was copied without the index of its log (journal.db-shm), which only a "
                     "run makes: `certcast run` any pipeline first",
                     file.string()};
    }
    const std::string uri =
        "file:" + in_uri(file.string()) + (has_log ? "?mode=ro&readonly_shm=1" : "?immutable=1");
    keep_owners();
    try {
        auto database = std::make_unique<JournalDatabase>(
            uri, SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX | SQLite::OPEN_URI,
            static_cast<int>(usual_journal_patience.count()));
        const int schema = number_from(database->sqlite(), "PRAGMA user_version");
        if (number_from(database->sqlite(), "PRAGMA application_id") != application) {
            return Error{ErrorCode::invalid, "it is no journal", file.string()};
        }
        if (schema == newest_schema) return database;
        const bool is_older = schema < newest_schema;
        return Error{ErrorCode::invalid,
                     "it was written by " + std::string(is_older ? "an older" : "a newer") +
                         " certcast (schema " + std::to_string(schema) + "; this one knows " +
                         std::to_string(newest_schema) + ")" +
                         (is_older ? ": the next run brings it up to date" : ": use that one"),
                     file.string()};
    } catch (const SQLite::Exception& exception) {
        return journal_error(exception, file);
    }
}

}  // namespace certcast
