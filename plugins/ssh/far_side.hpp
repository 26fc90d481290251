#pragma once

#include "plugins/ssh/connection.hpp"

#include <certcast/job.hpp>

#include <optional>
#include <span>
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

/// As whom the script runs, other than who has logged in.
struct Become {
    std::string program;  ///< "sudo" or "doas"; empty: it runs as who has logged in
    std::optional<certcast::Sensitive> password;
};

/// A line that a shell takes as these words.
std::string command_line(std::span<const std::string_view> words);

/// The task as the text of a step, for whoever undoes it or cleans up after it.
std::string pack(const FarTask& task);
/// What pack() has kept: the token and the paths.
FarTask unpack(std::string_view step);

/// The script that does the task over there, and answers as long as the connection holds.
class FarSide {
public:
    enum class First { look, other };  ///< what it will be asked at first

    FarSide(const Login& login, Become become, FarTask task, First first, const certcast::Job& job);

    const FarTask& task() const { return task_; }
    /// As far as is known before anything is asked of it.
    bool is_open() const { return connection_.is_open() && channel_.is_open(); }

    /// Reads the files, changes nothing.
    std::vector<FarFile> look(const certcast::Job& job);
    /// Puts all files in place or none, checks, and reloads. Records the step that undo() needs
    /// before the first one is switched.
    void replace(const certcast::Job& job);
    /// Whether the files, read back behind the reload, held what they should.
    bool is_proven() const { return is_proven_; }
    /// Brings back what was there before, as far as it was replaced; then reloads.
    void undo(const certcast::Job& job);
    /// What was replaced is not needed any more.
    void forget(const certcast::Job& job);

private:
    using Answer = std::pair<std::string, std::string>;  ///< a word, and the rest

    std::string line() const;
    std::string prompt() const;
    std::string end_of_file() const;
    /// Gives the password to nobody but who asks for it by our own words.
    void await_ready(const certcast::Job& job);
    void ask(std::string_view action, const certcast::Job& job);
    Answer answer(const certcast::Job& job);
    certcast::Sensitive sized_text(const std::string& size_text, const certcast::Job& job);
    FarFile file_from(const Answer& answer, const certcast::Job& job);
    [[noreturn]] void throw_refusal(const Answer& answer) const;
    void expect_reloaded(const Answer& answer, const certcast::Job& job) const;

    Become become_;
    FarTask task_;
    Deadline patience_;  ///< until the script is ready
    bool is_looking_;    ///< without being asked, once
    Connection connection_;
    Channel channel_;
    bool is_ready_ = false;  ///< it has answered
    bool is_proven_ = false;
    std::string said_;  ///< by the latest command, for the end of a message
};

}  // namespace ssh
