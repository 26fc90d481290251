#pragma once

#include "core/base/error.hpp"
#include "core/journal/records.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace certcast {

class JournalDatabase;

/// A run as it is remembered. Times are milliseconds since 1970; 0: not yet, or never.
struct PastRun {
    std::string name;
    std::string pipeline;
    std::string pipeline_file;
    std::int64_t started = 0;
    std::int64_t finished = 0;
    std::string status;  ///< empty: it goes on, or was killed
    std::uint32_t deployments = 0;
    std::uint32_t succeeded = 0;  ///< changed, unchanged or deferred
};

struct PastDeployment {
    std::string name;
    std::string plugin;
    std::string target;
    std::int64_t began = 0;
    std::int64_t ended = 0;
    std::string status;  ///< empty: not started where `began` is 0, else nobody knows
    std::string reason;
    std::string message;
    std::string rollback;
    std::string rollback_message;
    std::string proof;
    std::uint32_t attempts = 0;
    std::int64_t duration_ms = 0;
    std::vector<std::pair<std::string, std::string>> outputs;
};

struct PastLine {
    std::int64_t at = 0;
    std::string level;
    std::string message;
};

/// What is known of one certificate of one deployment of a pipeline.
struct KnownCertificate {
    std::string deployment;
    WantedCertificate wanted;
    std::int64_t wanted_since = 0;
    ObservedCertificate observed;     ///< seen by nobody: empty
    std::int64_t observed_since = 0;  ///< since when it is the same
    std::int64_t observed_at = 0;     ///< when it was looked at last
};

/// How a deployment ended when a run had it last.
struct LatestEnd {
    std::string run;
    std::string status;  ///< empty: it did not end
    std::string digest;  ///< of all that the pipeline said of it

    bool succeeded() const { return has_succeeded(status); }
};

/// The journal, for reading.
class History {
public:
    /// not_found: there is no journal yet.
    static Result<History> open(const std::filesystem::path& folder);
    History(History&&) noexcept;
    History& operator=(History&&) noexcept;
    History(const History&) = delete;
    History& operator=(const History&) = delete;
    ~History();

    /// The newest first. Of one pipeline, or of all where `pipeline_file` is empty.
    Result<std::vector<PastRun>> runs(const std::string& pipeline_file, std::uint32_t most) const;
    /// By its name, the beginning of one, or "last". Several that fit are an error that names them.
    Result<PastRun> run(const std::string& name) const;
    /// In the order of the pipeline.
    Result<std::vector<PastDeployment>> deployments(const std::string& run) const;
    Result<std::vector<PastLine>> log(const std::string& run, const std::string& deployment) const;
    Result<std::vector<KnownCertificate>> certificates(const std::string& pipeline_file) const;
    /// By deployment.
    Result<std::map<std::string, LatestEnd>> latest(const std::string& pipeline_file) const;
    /// The deployments that are to be done anew, whatever came of them before.
    Result<std::set<std::string>> queued(const std::string& pipeline_file) const;
    /// What was begun and is neither proven nor undone, by the memory's key.
    Result<std::map<std::string, HalfWay>> half_way() const;

private:
    History(std::unique_ptr<JournalDatabase> database, std::filesystem::path file);
    template <typename T, typename Read>
    Result<T> reading(Read read) const;

    std::unique_ptr<JournalDatabase> database_;
    std::filesystem::path file_;
};

/// The same as History's, of a database that is open already. Throws SQLite::Exception.
std::map<std::string, HalfWay> half_way_in(const JournalDatabase& database);

/// Forgets what was begun then, with the steps that would undo it. REQUIRES: nobody is at it.
Result<void> forget_half_way(const std::filesystem::path& folder, const HalfWay& one);

/// Forgets runs that were started before, and all but the newest ones. How many it has forgotten.
Result<int> prune_history(const std::filesystem::path& folder, std::int64_t started_before,
                          std::int64_t most_runs);

}  // namespace certcast
