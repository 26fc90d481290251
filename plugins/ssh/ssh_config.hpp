#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ssh {

/// What ssh's own configuration, ssh_config(5), says of a host. Empty: nothing.
struct HostConfig {
    std::string host_name;
    std::uint16_t port = 0;
    std::string user;
    std::string known_as;  ///< HostKeyAlias
    std::vector<std::filesystem::path> identity_files;
    std::vector<std::filesystem::path> known_hosts;  ///< UserKnownHostsFile
    std::vector<std::string> proxy_jump;             ///< each [USER@]HOST[:PORT]
    std::string proxy_command;
};

/// Looks for `host` as ssh would: in `folder`/config, then in /etc/ssh/ssh_config; of each word the
/// first value counts. `user`, where it is not empty, is who is to log in. The home of ~ is what
/// holds `folder`. Throws certcast::config_error with file and line, also for a Match that could
/// only be told by running a program.
HostConfig config_of(const std::string& host, const std::string& user,
                     const std::filesystem::path& folder);

/// The same from these files, the first of which is the user's.
HostConfig config_in(const std::vector<std::filesystem::path>& files, const std::string& host,
                     const std::string& user, const std::filesystem::path& folder);

}  // namespace ssh
