#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace certcast {

/// The open database of a journal, with its statements: preparing one takes longer than running it,
/// so each is prepared once and kept. For one thread. Everything throws SQLite::Exception.
class JournalDatabase {
public:
    /// A statement while it is used; then it is ready for the next use.
    class Use {
    public:
        explicit Use(SQLite::Statement& statement) : statement_(statement) {}
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;
        ~Use() { statement_.tryReset(); }
        SQLite::Statement* operator->() { return &statement_; }

    private:
        SQLite::Statement& statement_;
    };

    JournalDatabase(const std::string& file, int flags, int busy_ms)
        : database_(file, flags, busy_ms) {}

    /// With these values as ?1, ?2 and so on, which outlive the use. REQUIRES: nobody uses this
    /// statement now.
    template <typename... Values>
    Use query(const std::string& sql, const Values&... values) {
        auto kept = statements_.find(sql);
        if (kept == statements_.end()) {
            kept = statements_.emplace(sql, SQLite::Statement(database_, sql)).first;
        }
        int index = 0;
        (bind(kept->second, ++index, values), ...);
        return Use(kept->second);
    }

    /// How many rows it has changed.
    template <typename... Values>
    int run(const std::string& sql, const Values&... values) {
        return query(sql, values...)->exec();
    }

    SQLite::Database& sqlite() { return database_; }
    const SQLite::Database& sqlite() const { return database_; }

private:
    static void bind(SQLite::Statement& statement, int index, const std::string& value) {
        statement.bindNoCopy(index, value);
    }
    static void bind(SQLite::Statement& statement, int index, std::int64_t value) {
        statement.bind(index, value);
    }
    static void bind(SQLite::Statement& statement, int index, std::span<const std::byte> value) {
        statement.bindNoCopy(index, value.data(), static_cast<int>(value.size()));
    }

    SQLite::Database database_;
    std::map<std::string, SQLite::Statement> statements_;
};

}  // namespace certcast
