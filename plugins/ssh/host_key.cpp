#include "plugins/ssh/host_key.hpp"

#include "plugins/ssh/key.hpp"
#include "plugins/ssh/words.hpp"

#include <certcast/errors.hpp>
#include <certcast/files.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ssh {

namespace {

namespace fs = std::filesystem;

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

std::string names_of_files(const Login& login) {
    std::string names;
    for (const fs::path& file : files_of(login))
        names += (names.empty() ? "" : ", ") + file.string();
    return names;
}

/// As files of known hosts have it.
std::string known_name(const Login& login) {
    if (!login.known_as.empty()) return login.known_as;
    const std::string name = lower(login.address);
    return login.port == 22 ? name : "[" + name + "]:" + std::to_string(login.port);
}

/// A host's pattern that begins with '!' fits.
bool is_excluded(const std::string& line, const std::string& name) {
    std::istringstream patterns(line.substr(0, line.find(' ')));
    for (std::string pattern; std::getline(patterns, pattern, ',');) {
        if (pattern.starts_with('!') && fits(name, pattern.substr(1))) return true;
    }
    return false;
}

/// One line at once, so that others who add theirs do not mix with it.
void add_known_host(ssh_key key, const Login& login) {
    char* raw = nullptr;
    if (ssh_pki_export_pubkey_base64(key, &raw) != SSH_OK) {
        throw certcast::internal_error("the host key has no line for a file of known hosts");
    }
    const std::string line =
        known_name(login) + " " + ssh_key_type_to_char(ssh_key_type(key)) + " " + raw + "\n";
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

KnownKeys::KnownKeys(const Login& login) {
    const std::string name = known_name(login);
    for (const fs::path& file : files_of(login)) {
        std::istringstream lines{std::string(certcast::read_file(file).contents.text())};
        for (std::string line; std::getline(lines, line);) add(line, name);
    }
}

void KnownKeys::add(std::string line, const std::string& name) {
    std::replace(line.begin(), line.end(), '\t', ' ');
    line.erase(0, line.find_first_not_of(' '));
    if (line.starts_with("@revoked")) revoked_.push_back(line);
    if (line.empty() || line.front() == '#' || line.front() == '@') return;
    if (is_excluded(line, name)) return;
    ssh_knownhosts_entry* raw = nullptr;
    const int status = ssh_known_hosts_parse_line(name.c_str(), line.c_str(), &raw);
    Entry entry(raw);
    if (status == SSH_OK && entry) keys_.push_back(std::move(entry));
}

bool KnownKeys::has(ssh_key shown) const {
    return std::any_of(keys_.begin(), keys_.end(), [shown](const Entry& known) {
        return ssh_key_cmp(known->publickey, shown, SSH_KEY_CMP_PUBLIC) == 0;
    });
}

bool KnownKeys::has_revoked(ssh_key shown) const {
    char* raw = nullptr;
    if (ssh_pki_export_pubkey_base64(shown, &raw) != SSH_OK) return true;
    const std::string key = raw;
    ssh_string_free_char(raw);
    return std::any_of(revoked_.begin(), revoked_.end(), [&key](const std::string& line) {
        return line.find(key) != std::string::npos;
    });
}

std::string KnownKeys::fingerprints(ssh_key shown) const {
    std::string found;
    for (const Entry& known : keys_) {
        if (ssh_key_type(known->publickey) != ssh_key_type(shown)) continue;
        found += (found.empty() ? "" : ", ") + fingerprint(known->publickey);
    }
    return found;
}

std::string KnownKeys::algorithms() const {
    std::string first;
    std::string last;
    for (const std::string_view algorithm :
         {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
          "rsa-sha2-512", "rsa-sha2-256"}) {
        const std::string kind(algorithm.starts_with("rsa-") ? "ssh-rsa" : algorithm);
        const bool is_known = std::any_of(keys_.begin(), keys_.end(), [&kind](const Entry& known) {
            return kind == ssh_key_type_to_char(ssh_key_type(known->publickey));
        });
        std::string& list = is_known ? first : last;
        list += (list.empty() ? "" : ",") + std::string(algorithm);
    }
    return first + (first.empty() || last.empty() ? "" : ",") + last;
}

void check_host_key(ssh_session session, const Login& login, const KnownKeys& known,
                    const certcast::Job& job) {
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
    if (known.has_revoked(key.get())) {
        refuse(whose + " is " + shown + ", which " + files + " has as revoked");
    }
    if (known.has(key.get())) return job.debug(whose + " is " + shown);
    const std::string others = known.fingerprints(key.get());
    if (!others.empty()) {
        refuse(whose + " is " + shown + ", and " + files + " has " + others +
               ": somebody may stand in between; if it was changed on purpose, mend that file");
    }
    if (!known.is_empty()) {
        refuse(whose + " is " + shown + ", and " + files + " has only keys of another kind for it");
    }
    if (login.accept_new.empty()) {
        refuse(whose + " is not in " + files + ": it shows " + shown +
               "; compare that with the host's own (ssh-keygen -l), and add its line to the file "
               "or give it as 'host_key'");
    }
    add_known_host(key.get(), login);
    job.warning(whose + " is new, and taken as it is: " + shown + "; " + login.accept_new.string() +
                " has it now");
}

}  // namespace ssh
