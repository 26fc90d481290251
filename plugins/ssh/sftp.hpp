#pragma once

#include "plugins/ssh/connection.hpp"

#include <certcast/job.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace ssh {

/// A client of SFTP, version 3 (draft-ietf-secsh-filexfer-02), with what OpenSSH adds to it:
/// libssh's own knows no rename onto a file, and cannot be interrupted. Everything throws the
/// errors of <certcast/errors.hpp>, with the path. REQUIRES: the connection outlives it.
class Sftp {
public:
    /// Of a file; what a server does not tell is 0.
    struct Attributes {
        std::uint64_t size = 0;
        std::uint32_t mode = 0;  ///< with the file's type, as of stat(2)
        std::uint32_t owner = 0;
        std::uint32_t group = 0;
    };

    Sftp(Connection& connection, const certcast::Job& job);

    bool is_open() const { return channel_.is_open(); }
    /// Whether a rename onto a file is one step.
    bool renames_onto() const { return extensions_.contains(posix_rename); }
    bool makes_links() const { return extensions_.contains(hard_link); }

    /// Of what symlinks lead to; nothing: there is none.
    std::optional<Attributes> look(const std::string& path, const certcast::Job& job);
    /// Where symlinks lead.
    std::string real_path(const std::string& path, const certcast::Job& job);
    certcast::Sensitive read(const std::string& path, const certcast::Job& job);
    /// A file that was not there, 0600, and synced where the server can.
    void write_new(const std::string& path, const certcast::Sensitive& contents,
                   const certcast::Job& job);
    void set_mode(const std::string& path, std::uint32_t mode, const certcast::Job& job);
    void give_to(const std::string& path, std::uint32_t owner, std::uint32_t group,
                 const certcast::Job& job);
    /// Another name for it. REQUIRES: makes_links().
    void link(const std::string& from, const std::string& to, const certcast::Job& job);
    /// Onto whatever is there.
    void rename(const std::string& from, const std::string& to, const certcast::Job& job);
    /// Whether or not it is there.
    void remove(const std::string& path, const certcast::Job& job);

private:
    static constexpr std::string_view posix_rename = "posix-rename@openssh.com";
    static constexpr std::string_view hard_link = "hardlink@openssh.com";
    static constexpr std::string_view sync_file = "fsync@openssh.com";

    /// What a server sends: a type, and what follows its number.
    struct Answer {
        std::uint8_t type = 0;
        certcast::Sensitive payload;
    };
    /// `arguments`: what follows the number.
    Answer ask(std::uint8_t type, const certcast::Sensitive& arguments, const certcast::Job& job);
    Answer receive(const certcast::Job& job);
    void expect_done(const Answer& answer, const std::string& what) const;
    std::string open(const std::string& path, std::uint32_t flags, std::uint32_t mode,
                     const certcast::Job& job);
    void close(const std::string& handle, const std::string& path, const certcast::Job& job);

    std::string whose_;
    Channel channel_;
    std::uint32_t next_ = 0;
    std::set<std::string, std::less<>> extensions_;
};

}  // namespace ssh
