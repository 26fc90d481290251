#pragma once

#include "plugins/ssh/connection.hpp"

#include <certcast/job.hpp>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ssh {

/// A file as it is over there.
struct FarFile {
    enum class Kind { absent, file, odd, unreadable };

    Kind kind = Kind::absent;
    std::string owner;  ///< by name
    std::string group;
    std::string uid;
    std::string gid;
    std::string mode;  ///< octal, four digits
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

bool is_as_wanted(const FarFile& now, const FarTarget& wanted);

/// What is done over there, and when it is given up to wait for another deployment.
struct FarCommands {
    std::string check;  ///< as a line for a shell; empty: none
    std::string reload;
    std::chrono::seconds patience{60};
};

/// Words that no shell takes for anything else.
std::string shell_word(std::string_view word);
std::string command_line(std::span<const std::string_view> words);

/// Reads them, changes nothing.
std::vector<FarFile> look(Connection& connection, std::span<const std::string> paths,
                          const certcast::Job& job);

/// Puts all files in place or none, checks, and reloads. `token` names what is left for `undo` and
/// `forget`. Records the step that undo needs before the first file is switched.
void replace(Connection& connection, const std::string& token, std::span<const FarTarget> files,
             const FarCommands& commands, const certcast::Job& job);

/// Brings back what was there before, where it was replaced; then reloads.
void undo(Connection& connection, const std::string& token, std::span<const std::string> paths,
          const FarCommands& commands, const certcast::Job& job);

/// What it replaced is not needed any more.
void forget(Connection& connection, const std::string& token, std::span<const std::string> paths,
            const FarCommands& commands, const certcast::Job& job);

/// What undo needs, as the text of a step.
std::string pack(const std::string& token, std::span<const FarTarget> files);
struct Replaced {
    std::string token;
    std::vector<std::string> paths;
};
Replaced unpack(std::string_view undo);

}  // namespace ssh
