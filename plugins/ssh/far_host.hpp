#pragma once

#include <certcast/job.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ssh {

/// A file as it is over there.
struct FarFile {
    enum class Kind { absent, file, odd, unreadable };

    Kind kind = Kind::absent;
    bool has_access = false;  ///< mode and owner are as wanted
    certcast::Sensitive contents;
};

/// A file as it should be over there.
struct FarTarget {
    std::string path;
    std::string mode;   ///< octal
    std::string owner;  ///< by name or number; empty: as before
    std::string group;
    certcast::Sensitive contents;
};

/// What is to be done over there.
struct FarTask {
    std::string token;  ///< names what is left beside the files
    std::vector<FarTarget> files;
    std::string check;  ///< a line for a shell; empty: none
    std::string reload;
};

/// The task as the text of a step, for whoever undoes it or cleans up after it.
std::string pack(const FarTask& task);
/// What pack() has kept: the token and the paths.
FarTask unpack(std::string_view step);

/// Where the task is done, by whatever means there are.
class FarHost {
public:
    explicit FarHost(FarTask task) : task_(std::move(task)) {}
    FarHost(const FarHost&) = delete;
    FarHost& operator=(const FarHost&) = delete;
    virtual ~FarHost() = default;

    const FarTask& task() const { return task_; }
    /// As far as is known before anything is asked of it.
    virtual bool is_open() const = 0;

    /// Reads the files, changes nothing.
    virtual std::vector<FarFile> look(const certcast::Job& job) = 0;
    /// Puts all files in place or none, checks, and reloads. Records the step that undo() needs
    /// before the first one is switched.
    virtual void replace(const certcast::Job& job) = 0;
    /// Whether the files, read back behind the reload, held what they should.
    bool is_proven() const { return is_proven_; }
    /// Brings back what was there before, as far as it was replaced; then reloads.
    virtual void undo(const certcast::Job& job) = 0;
    /// What was replaced is not needed any more.
    virtual void forget(const certcast::Job& job) = 0;

protected:
    void set_proven(bool is_proven) { is_proven_ = is_proven; }

private:
    FarTask task_;
    bool is_proven_ = false;
};

}  // namespace ssh
