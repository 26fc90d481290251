#pragma once

#include "core/base/duration.hpp"
#include "core/base/error.hpp"
#include "core/journal/journal_database.hpp"

#include <filesystem>
#include <memory>

namespace certcast {

inline constexpr Duration usual_journal_patience{5'000};

/// What SQLite has to say, as something that an operator can act upon.
Error journal_error(const SQLite::Exception& exception, const std::filesystem::path& file);

/// Opens FOLDER/journal.db for writing (an empty FOLDER is nowhere), makes it where there is none,
/// and brings it to this version's schema. One that is damaged, another program's or of a newer
/// certcast is an error, and stays as it is. Write-ahead logging; what was committed outlasts a
/// power loss. `patience`: how long others may keep it locked, then and later.
Result<std::unique_ptr<JournalDatabase>> open_journal(const std::filesystem::path& folder,
                                                      Duration patience = usual_journal_patience);

/// Opens it without writing anything anywhere, while others write it or after they were killed.
/// not_found: there is none.
Result<std::unique_ptr<JournalDatabase>> read_journal(const std::filesystem::path& folder);

}  // namespace certcast
