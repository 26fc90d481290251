#pragma once

#include "core/base/diagnostic.hpp"
#include "core/base/duration.hpp"
#include "core/base/limits.hpp"
#include "core/base/sandbox.hpp"
#include "core/pipeline/share.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/value.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// Where a secret comes from. Nothing is read until it is needed.
struct SecretSource {
    enum class Kind { environment, file, command, credential };
    Kind kind = Kind::environment;
    std::string value;                 ///< variable, path or credential name
    std::vector<std::string> command;  ///< of Kind::command
    std::string field;  ///< of a JSON or KEY=VALUE document; empty: the whole, less one newline
    Duration timeout{30'000};
    Location location;
};

/// Where one certificate comes from: a folder or file to be searched by content, or separate files.
struct CertificateSource {
    std::filesystem::path source;
    std::filesystem::path certificate;
    std::filesystem::path key;
    bool without_key = false;  ///< key = "none"
    std::filesystem::path chain;
    std::string passphrase;  ///< name in Pipeline::secrets, or empty
    Location location;
};

/// One place where what is served is checked by a handshake.
struct ProbeCheck {
    std::string address;  ///< host:port
    std::string server_name;
    std::string protocol = "tls";
    std::uint64_t certificate = 0;  ///< index in Deployment::certificates
    Duration timeout{10'000};
    std::uint32_t consecutive = 1;
    bool ocsp_staple = false;  ///< a good one has to come with the handshake
    Location location;
};

struct RetryPolicy {
    std::uint32_t attempts = 3;
    Duration backoff{2'000};
    Duration max_backoff{60'000};
    Duration budget{0};  ///< no attempt begins later than this after the first; 0: no limit
};

/// What keeps a certificate from being deployed that would not serve, or worse than the one there.
struct Guards {
    bool key = true;      ///< its private key belongs to it
    bool chain = true;    ///< its chain is whole
    bool expired = true;  ///< its time is now
    bool names = true;    ///< it is for every name that the one there is for
    bool staging = true;  ///< it is from no test issuer where the one there is not
    bool older = true;    ///< it was issued no earlier than the one there
};

/// What they are called in a pipeline.
inline constexpr std::array guard_names{
    std::pair{"key", &Guards::key},         std::pair{"chain", &Guards::chain},
    std::pair{"expired", &Guards::expired}, std::pair{"names", &Guards::names},
    std::pair{"staging", &Guards::staging}, std::pair{"older", &Guards::older}};

/// How the targets of an entry are deployed to one after another.
struct Waves {
    std::vector<Share> sizes;  ///< how many have been started with each wave; then all others
    Duration pause{0};         ///< between two of them
    Share max_failures;        ///< with more of them no more is started
    bool puts_back = false;    ///< then what was changed is rolled back
};

/// Of the deployments of an entry so many have to succeed.
struct Quorum {
    std::string entry;
    Share at_least;
};

/// One deployer onto one target, with everything substituted and checked. What a run asks of each
/// stands together: ten thousand of them are more than a processor's cache holds.
struct Deployment {
    std::string name;  ///< ENTRY, or ENTRY/TARGET
    std::string plugin;
    std::string target;  ///< empty without targets
    std::vector<std::string> certificates;
    std::vector<std::string> needs;      ///< names of deployments, expanded
    std::vector<Quorum> quorums;         ///< needed, too
    std::shared_ptr<const Waves> waves;  ///< of its entry; nullptr: none
    /// Canonical texts, sorted: what is deployed to, what must not overlap.
    std::vector<std::string> identities;
    std::vector<std::string> exclusives;
    std::vector<std::string> locks;  ///< those with one of them in common never overlap
    const Library* library = nullptr;
    const Descriptor* descriptor = nullptr;
    std::string unusable;    ///< why it cannot be done: its plugin is broken, or finds no targets
    bool discovers = false;  ///< stands for the targets of its entry, which its plugin is to find
    bool is_found = false;   ///< its plugin has: what is wrong with it is no mistake of the file
    Sandbox sandbox = Sandbox::on;
    bool disabled = false;
    Guards guards;
    std::string account;  ///< what shares rates, canonical; empty: none
    RetryPolicy retry;

    std::string disabled_reason;
    std::string entry;
    std::vector<std::string> tags;
    std::array<Duration, stage_count> timeouts{};  ///< all of them set
    Duration grace{5'000};
    Limits limits;
    Value config;
    Value target_values;
    std::vector<ProbeCheck> probes;
    Location location;

    bool can_run() const { return !disabled && unusable.empty(); }
};

/// A pipeline file that was read and found right. Deployments are in the order of the file.
struct Pipeline {
    std::string name;
    std::filesystem::path file;       ///< absolute; names in it are relative to its folder
    std::filesystem::path real_file;  ///< without symlinks: what it is remembered by
    std::map<std::string, CertificateSource> certificates;
    std::map<std::string, SecretSource> secrets;  ///< named ones, and inline ones by their key path
    std::vector<Deployment> deployments;
    const Library* probe_library = nullptr;  ///< nullptr: no deployment has a probe
    const Descriptor* probe = nullptr;
    std::uint32_t max_parallel = 32;
    std::map<std::string, std::uint32_t> plugin_limits;  ///< at once, by plugin
    Sandbox probe_sandbox = Sandbox::on;
};

}  // namespace certcast
