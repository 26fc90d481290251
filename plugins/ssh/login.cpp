#include "plugins/ssh/login.hpp"

#include "plugins/ssh/ssh_config.hpp"
#include "plugins/ssh/words.hpp"

#include <certcast/errors.hpp>

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace ssh {

namespace {

namespace fs = std::filesystem;

constexpr const char* default_keys[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
constexpr const char* system_known_hosts = "/etc/ssh/ssh_known_hosts";
constexpr std::uint16_t usual_port = 22;

std::vector<Identity> identities_of(std::vector<fs::path> keys, const fs::path& folder) {
    if (keys.empty()) {
        for (const char* name : default_keys) keys.push_back(folder / name);
    }
    std::vector<Identity> found;
    std::error_code error;
    for (const fs::path& key : keys) {
        if (!fs::exists(key, error)) continue;
        const fs::path certificate = key.string() + "-cert.pub";
        found.push_back(
            {key, fs::exists(certificate, error) ? certificate : fs::path(), /*is_wanted=*/false});
    }
    return found;
}

/// What ends the brackets or follows the only colon is a port; others are an IPv6 address's.
void take_hop(std::string hop, Login& login) {
    constexpr std::string_view scheme = "ssh://";
    const std::string whole = hop;
    if (hop.starts_with(scheme)) hop.erase(0, scheme.size());
    const std::size_t at = hop.rfind('@');
    login.user = at != std::string::npos ? hop.substr(0, at) : std::string();
    if (at != std::string::npos) hop.erase(0, at + 1);
    const std::size_t bracket = hop.starts_with('[') ? hop.find(']') : std::string::npos;
    const std::size_t colon = bracket != std::string::npos      ? hop.find(':', bracket)
                              : hop.find(':') == hop.rfind(':') ? hop.find(':')
                                                                : std::string::npos;
    login.host = bracket != std::string::npos ? hop.substr(1, bracket - 1) : hop.substr(0, colon);
    login.port = 0;
    bool is_right = !login.host.empty() && login.host.find_first_of("[]/") == std::string::npos;
    if (colon != std::string::npos) {
        const auto port = port_in(std::string_view(hop).substr(colon + 1));
        login.port = port.value_or(0);
        is_right = is_right && port;
    }
    if (!is_right) {
        throw certcast::config_error("'" + whole +
                                     "' is no host to jump through: it has to be "
                                     "[USER@]HOST[:PORT]");
    }
}

/// So that it is one name, to libssh and in a file of known hosts.
void check_name(const std::string& name, const std::string& what) {
    const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("._-:%").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (is_plain && !name.starts_with('-')) return;
    throw certcast::config_error("'" + name + "' is no " + what +
                                 ": it has to consist of letters, digits and ._-:%");
}

/// `goes_on`: it may be behind others that ssh's configuration names.
Login completed(Login login, std::vector<std::string> hops, const fs::path& folder, bool goes_on,
                int depth) {
    Login jump = login;  // what the deployment itself says of keys and known hosts holds for all
    if (!folder.empty()) {
        const HostConfig config = config_of(login.host, login.user, folder);
        if (login.user.empty()) login.user = config.user;
        if (login.port == 0) login.port = config.port;
        if (login.address.empty()) login.address = config.host_name;
        if (login.known_as.empty()) login.known_as = config.known_as;
        if (login.known_hosts.empty()) {
            login.known_hosts = config.known_hosts;
            if (login.known_hosts.empty()) login.known_hosts.push_back(folder / "known_hosts");
            login.known_hosts.emplace_back(system_known_hosts);
        }
        if (login.identities.empty() && login.agent.empty()) {
            login.identities = identities_of(config.identity_files, folder);
        }
        if (goes_on && hops.empty() && login.proxy_command.empty()) {
            hops = config.proxy_jump;
            if (!config.proxy_command.empty()) {
                throw certcast::config_error(
                    "ssh's configuration has a ProxyCommand for " + login.host + " ('" +
                    config.proxy_command +
                    "'); programs come from the pipeline alone: give it as 'proxy_command'");
            }
        }
    }
    if (login.port == 0) login.port = usual_port;
    if (login.address.empty()) login.address = login.host;
    check_name(login.address, "name of a host");
    check_name(login.known_as, "HostKeyAlias");
    if (login.user.empty()) {
        throw certcast::config_error("nobody says who logs in on " + login.host +
                                     ": give 'user', or User in ssh's configuration");
    }
    constexpr int most_jumps = 8;
    if (hops.size() > most_jumps || depth > most_jumps) {
        throw certcast::config_error(login.host + " is behind more than " +
                                     std::to_string(most_jumps) + " hosts to jump through");
    }
    // A password is meant for one host alone, and so is a fingerprint, or to take it as it is.
    jump.password.reset();
    jump.host_key.clear();
    jump.accept_new.clear();
    jump.address.clear();
    jump.proxy_command.clear();
    for (const std::string& hop : hops) {
        take_hop(hop, jump);
        if (jump.user.empty() && folder.empty()) jump.user = login.user;
        Login next = completed(jump, {}, folder, login.jumps.empty(), depth + 1);
        // The first may itself be behind others; the next ones are reached from the one before.
        if (login.jumps.empty()) login.jumps = std::move(next.jumps);
        next.jumps.clear();
        login.jumps.push_back(std::move(next));
    }
    return login;
}

}  // namespace

std::string Login::text() const {
    return user + "@" + host + ":" + std::to_string(port) +
           (address != host ? " (" + address + ")" : "");
}

Login completed(Login login, const std::vector<std::string>& hops, const fs::path& folder) {
    return completed(std::move(login), hops, folder, /*goes_on=*/true, 0);
}

}  // namespace ssh
