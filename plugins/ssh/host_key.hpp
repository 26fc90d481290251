#pragma once

#include "plugins/ssh/login.hpp"

#include <certcast/job.hpp>

#include <libssh/libssh.h>

#include <memory>
#include <string>
#include <vector>

namespace ssh {

/// What a login's files of known hosts say of its host, as they are now. libssh reads their lines,
/// but not the files: it knows neither tabs, exclusions nor @revoked, looks into two files at most,
/// and may be told to ask nobody.
class KnownKeys {
public:
    explicit KnownKeys(const Login& login);

    bool is_empty() const { return keys_.empty(); }
    bool has(ssh_key shown) const;
    bool has_revoked(ssh_key shown) const;
    /// Of the kind that is shown.
    std::string fingerprints(ssh_key shown) const;
    /// What to ask the host for: all algorithms, those first for which a key is known.
    std::string algorithms() const;

private:
    struct FreeEntry {
        void operator()(ssh_knownhosts_entry* entry) const { ssh_knownhosts_entry_free(entry); }
    };
    using Entry = std::unique_ptr<ssh_knownhosts_entry, FreeEntry>;

    void add(std::string line, const std::string& name);

    std::vector<Entry> keys_;
    std::vector<std::string> revoked_;
};

/// Returns where the session is with the host that the login means, as its fingerprint or what is
/// known says; otherwise throws.
void check_host_key(ssh_session session, const Login& login, const KnownKeys& known,
                    const certcast::Job& job);

}  // namespace ssh
