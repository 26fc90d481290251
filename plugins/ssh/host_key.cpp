#include "plugins/ssh/host_key.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace ssh {

namespace {

namespace fs = std::filesystem;

struct FreeKey {
    void operator()(ssh_key key) const { ssh_key_free(key); }
};
using Key = std::unique_ptr<ssh_key_struct, FreeKey>;

struct FreeEntry {
    void operator()(ssh_knownhosts_entry* entry) const { ssh_knownhosts_entry_free(entry); }
};
using KnownHost = std::unique_ptr<ssh_knownhosts_entry, FreeEntry>;

/// "SHA256:.."
std::string fingerprint(ssh_key key) {
    unsigned char* hash = nullptr;
    std::size_t size = 0;
    if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) != 0) return "?";
    char* const text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
    std::string words = text != nullptr ? text : "?";
    ssh_string_free_char(text);
    ssh_clean_pubkey_hash(&hash);
    return words;
}

std::vector<fs::path> files_of(const Login& login) {
    std::vector<fs::path> files = login.known_hosts;
    if (!login.accept_new.empty()) files.push_back(login.accept_new);
    return files;
}

/// All files of known hosts as one text.
std::string known_hosts_of(const Login& login) {
    std::string text;
    const auto add = [&text](const fs::path& file) {
        text += certcast::read_file(file).contents.text();
        if (!text.empty() && text.back() != '\n') text += '\n';
    };
    for (const fs::path& file : files_of(login)) add(file);
    return text;
}

std::string names_of_files(const Login& login) {
    std::string names;
    for (const fs::path& file : files_of(login))
        names += (names.empty() ? "" : ", ") + file.string();
    return names;
}

/// As files of known hosts have it.
std::string known_name(const Login& login) {
    if (!login.known_as.empty()) return login.known_as;
    return login.port == 22 ? login.address
                            : "[" + login.address + "]:" + std::to_string(login.port);
}

/// What the text has for the host, of the same kind of key.
std::string known_fingerprints(const std::string& text, const Login& login, ssh_key shown) {
    const std::string name = known_name(login);
    std::string found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        ssh_knownhosts_entry* raw = nullptr;
        const int status = ssh_known_hosts_parse_line(name.c_str(), line.c_str(), &raw);
        const KnownHost entry(raw);
        if (status != SSH_OK || !entry || ssh_key_type(entry->publickey) != ssh_key_type(shown)) {
            continue;
        }
        found += (found.empty() ? "" : ", ") + fingerprint(entry->publickey);
    }
    return found.empty() ? "another one" : found;
}

/// Which libssh does not look for.
bool is_revoked(const std::string& text, ssh_key shown) {
    char* raw = nullptr;
    if (ssh_pki_export_pubkey_base64(shown, &raw) != SSH_OK) return true;
    const std::string key = raw;
    ssh_string_free_char(raw);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("@revoked") && line.find(key) != std::string::npos) return true;
    }
    return false;
}

/// One line at once, so that others who add theirs do not mix with it.
void add_known_host(ssh_session session, const Login& login) {
    char* raw = nullptr;
    if (ssh_session_export_known_hosts_entry(session, &raw) != SSH_OK) {
        throw certcast::internal_error("the host key has no line for a file of known hosts");
    }
    const std::string line = raw;
    ssh_string_free_char(raw);
    const auto fail = [&login](const std::string& what) {
        throw std::system_error(errno, std::generic_category(),
                                "'accept_new' (" + login.accept_new.string() + "): " + what);
    };
    const certcast::detail::OpenFile file(
        ::open(login.accept_new.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0) fail("cannot open");
    const bool is_written =
        ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
    if (!is_written || ::fsync(file.get()) != 0) fail("cannot write");
}

}  // namespace

void set_known_hosts(ssh_session session, const Login& login, const certcast::Job& job) {
    if (!login.host_key.empty()) return;
    fs::path file = job.work_folder() / "known_hosts";
    if (login.known_hosts.size() == 1 && login.accept_new.empty()) {
        file = login.known_hosts.front();
    } else {
        std::ofstream(file) << known_hosts_of(login);
    }
    const std::string& name = login.known_as.empty() ? login.address : login.known_as;
    const unsigned port = login.known_as.empty() ? login.port : 22;
    ssh_options_set(session, SSH_OPTIONS_HOST, name.c_str());
    ssh_options_set(session, SSH_OPTIONS_PORT, &port);
    ssh_options_set(session, SSH_OPTIONS_KNOWNHOSTS, file.c_str());
    ssh_options_set(session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, file.c_str());
}

void check_host_key(ssh_session session, const Login& login, const certcast::Job& job) {
    ssh_key raw = nullptr;
    if (ssh_get_server_publickey(session, &raw) != SSH_OK) {
        throw certcast::network_error(login.text() + ": the connection broke without a host key");
    }
    const Key key(raw);
    const std::string shown = fingerprint(key.get());
    const std::string whose = "the host key of " + login.text().substr(login.user.size() + 1);
    const auto refuse = [](const std::string& why) {
        throw certcast::auth_error(why).code("host_key");
    };
    if (!login.host_key.empty()) {
        if (shown == login.host_key) return;
        refuse(whose + " is " + shown + ", and 'host_key' wants " + login.host_key +
               ": somebody may stand in between");
    }
    const std::string files = names_of_files(login);
    const std::string known = known_hosts_of(login);
    if (is_revoked(known, key.get())) {
        refuse(whose + " is " + shown + ", which " + files + " has as revoked");
    }
    switch (ssh_session_is_known_server(session)) {
        case SSH_KNOWN_HOSTS_OK:
            job.debug(whose + " is " + shown);
            return;
        case SSH_KNOWN_HOSTS_CHANGED:
            refuse(whose + " is " + shown + ", and " + files + " has " +
                   known_fingerprints(known, login, key.get()) +
                   ": somebody may stand in between; if it was changed on purpose, mend that file");
            return;
        case SSH_KNOWN_HOSTS_OTHER:
            refuse(whose + " is " + shown + ", and " + files +
                   " has only keys of another kind for it");
            return;
        case SSH_KNOWN_HOSTS_UNKNOWN:
        case SSH_KNOWN_HOSTS_NOT_FOUND:
            if (!login.accept_new.empty()) {
                add_known_host(session, login);
                job.warning(whose + " is new, and taken as it is: " + shown + "; " +
                            login.accept_new.string() + " has it now");
                return;
            }
            refuse(whose + " is not in " + files + ": it shows " + shown +
                   "; compare that with the host's own (ssh-keygen -l), and add its line to the "
                   "file or give it as 'host_key'");
            return;
        case SSH_KNOWN_HOSTS_ERROR:
            throw certcast::config_error(files + ": " + ssh_get_error(session));
    }
    throw certcast::internal_error("an unknown answer about the host key");
}

}  // namespace ssh
