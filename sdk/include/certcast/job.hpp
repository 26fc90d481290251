// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <certcast/plugin.h>
#include <certcast/session.h>
#include <certcast/errors.hpp>
#include <certcast/file_set.hpp>
#include <certcast/parameters.hpp>
#include <certcast/pem.hpp>
#include <certcast/sensitive.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certcast {

enum class Level : std::uint32_t { debug = 0, info = 1, warning = 2, error = 3 };
enum class Generation : std::uint32_t { current = CERTCAST_CURRENT, former = CERTCAST_FORMER };
enum class Pkcs12Format : std::uint32_t {
    modern = CERTCAST_PKCS12_MODERN,
    legacy = CERTCAST_PKCS12_LEGACY
};

/// A name and a text: fields of a log line, variables of a command.
using NamedText = std::pair<std::string_view, std::string_view>;

/// What the operator's command did.
struct CommandOutput {
    int status = 0;  ///< exit status, or 128 + signal
    bool truncated = false;
    std::string output;

    bool ok() const { return status == 0; }
};

/// A step that was recorded before its change was made.
struct RecordedStep {
    std::size_t index = 0;
    std::string_view label;
    std::string_view undo;
    std::uint32_t attempt = 1;
    bool undone = false;
};

/// What was found out, for as long as the others of the account may use it; 0: they may not.
struct Shared {
    Sensitive answer;
    std::chrono::milliseconds lifetime{0};
};

/// What one stage is told and may ask for. Lives as long as the stage; what it hands out as a view
/// does too. Calls that the host refuses throw one of the errors of <certcast/errors.hpp>.
class Job {
public:
    explicit Job(const certcast_job& job) : job_(job), host_(*job.host) {}

    template <typename Kind, bool Given>
    auto operator[](const Param<Kind, Given>& param) const {
        return config()[param];
    }
    template <typename Kind, bool Given>
    bool has(const Param<Kind, Given>& param) const {
        return config().has(param);
    }

    std::uint32_t stage() const { return job_.stage; }
    std::uint32_t attempt() const { return job_.attempt; }
    bool dry_run() const { return (job_.flags & CERTCAST_JOB_DRY_RUN) != 0; }
    bool force() const { return (job_.flags & CERTCAST_JOB_FORCE) != 0; }
    /// rollback and the verify after it: the former certificate is what is expected.
    bool recovering() const { return (job_.flags & CERTCAST_JOB_RECOVERING) != 0; }
    std::string_view deployment() const { return detail::view(job_.deployment); }
    std::string_view target() const { return detail::view(job_.target); }
    std::optional<std::string_view> target_value(std::string_view key) const {
        const certcast_value* value =
            job_.target_values != nullptr ? Object(*job_.target_values).find(key) : nullptr;
        if (value == nullptr) return std::nullopt;
        return detail::view(value->text);
    }
    std::size_t certificate_count() const { return job_.certificate_count; }
    std::string_view certificate(std::size_t index) const {
        if (index >= job_.certificate_count) throw internal_error("no such certificate");
        return detail::view(job_.certificates[index]);
    }
    /// An empty folder of this attempt, removed afterwards.
    std::filesystem::path work_folder() const { return {detail::view(job_.work_folder)}; }
    std::string_view state() const { return detail::view(job_.state); }
    /// The version of the deployer that stored it.
    std::string_view state_version() const { return detail::view(job_.state_version); }

    /// At most 64 fields.
    void log(Level level, std::string_view message,
             std::initializer_list<NamedText> fields = {}) const {
        log(level, message, std::span(fields.begin(), fields.size()));
    }
    void log(Level level, std::string_view message, std::span<const NamedText> fields) const {
        const auto raw = raw_fields(fields);
        host_.log(&host_, static_cast<std::uint32_t>(level), detail::str(message), raw.data(),
                  raw.size());
    }
    void debug(std::string_view message) const { log(Level::debug, message); }
    void info(std::string_view message) const { log(Level::info, message); }
    void warning(std::string_view message) const { log(Level::warning, message); }
    /// permille: 0 to 1000.
    void progress(std::uint32_t permille, std::string_view what) const {
        host_.progress(&host_, permille, detail::str(what));
    }

    bool cancelled() const { return host_.cancelled(&host_) != CERTCAST_CANCEL_NONE; }
    /// Cancelled because the time is up, not because somebody wants it to end.
    bool out_of_time() const { return host_.cancelled(&host_) == CERTCAST_CANCEL_DEADLINE; }
    void throw_if_cancelled() const {
        const std::uint32_t why = host_.cancelled(&host_);
        if (why == CERTCAST_CANCEL_DEADLINE) throw timeout_error("stopped at the deadline");
        if (why != CERTCAST_CANCEL_NONE) throw cancelled_error("stopped as asked");
    }
    /// Becomes and stays readable when the stage is to stop: to be polled, never read or closed.
    int cancel_fd() const { return host_.cancel_fd(&host_); }
    std::chrono::steady_clock::time_point deadline() const {
        return std::chrono::steady_clock::time_point(
            std::chrono::nanoseconds(host_.deadline_ns(&host_)));
    }
    std::chrono::milliseconds remaining() const {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline() - std::chrono::steady_clock::now());
        return std::max(left, std::chrono::milliseconds(0));
    }

    /// The text of a secret, or nothing where an optional one is not given.
    template <bool Given>
    auto secret(const Param<detail::SecretKind, Given>& param, bool refresh = false) const {
        const certcast_value* value = config().find(param.name());
        if constexpr (Given) {
            if (value == nullptr) throw internal_error("a required secret has no value");
            return secret_named(value->text, refresh);
        } else {
            return value != nullptr ? std::optional(secret_named(value->text, refresh))
                                    : std::nullopt;
        }
    }
    /// Asks the source again, because what it gave was refused.
    template <bool Given>
    auto fresh_secret(const Param<detail::SecretKind, Given>& param) const {
        return secret(param, true);
    }

    // Material of the certificate with this index. PEM ends with a newline.
    std::string leaf_pem(std::size_t i = 0) const { return public_text(CERTCAST_LEAF_PEM, i); }
    /// The intermediates in order, without the root; may be empty.
    std::string chain_pem(std::size_t i = 0) const { return public_text(CERTCAST_CHAIN_PEM, i); }
    std::string fullchain_pem(std::size_t i = 0) const {
        return public_text(CERTCAST_FULLCHAIN_PEM, i);
    }
    std::string leaf_der(std::size_t i = 0) const { return public_text(CERTCAST_LEAF_DER, i); }
    /// 32 bytes.
    std::string sha256(std::size_t i = 0) const { return public_text(CERTCAST_SHA256, i); }
    std::string spki_sha256(std::size_t i = 0) const {
        return public_text(CERTCAST_SPKI_SHA256, i);
    }
    /// Big-endian, without leading zeros.
    std::string serial(std::size_t i = 0) const { return public_text(CERTCAST_SERIAL, i); }
    /// DNS names and addresses, one a line.
    std::string names(std::size_t i = 0) const { return public_text(CERTCAST_NAMES, i); }
    /// PKCS#8.
    Sensitive key_pem(std::size_t i = 0) const { return Sensitive(ask(CERTCAST_KEY_PEM, i)); }
    Sensitive key_der(std::size_t i = 0) const { return Sensitive(ask(CERTCAST_KEY_DER, i)); }
    Sensitive pkcs12(ByteView password, std::string_view friendly_name = {},
                     Pkcs12Format format = Pkcs12Format::modern, std::size_t i = 0) const {
        certcast_material_query query = query_of(CERTCAST_PKCS12, i, Generation::current);
        query.pkcs12_profile = static_cast<std::uint32_t>(format);
        query.password = detail::str(password.text());
        query.friendly_name = detail::str(friendly_name);
        certcast_bytes out{};
        check_material(host_.material(&host_, &query, &out));
        return Sensitive(detail::view(out));
    }
    /// What inspect found before; nothing where its evidence does not say.
    std::optional<std::string> former_sha256(std::size_t i = 0) const {
        return former(CERTCAST_SHA256, i);
    }
    std::optional<std::string> former_leaf_der(std::size_t i = 0) const {
        return former(CERTCAST_LEAF_DER, i);
    }
    /// Any other kind of material that is no key.
    std::string public_text(std::uint32_t kind, std::size_t i) const {
        return std::string(ask(kind, i));
    }

    /// What is in the place of a certificate: its DER, or nothing because nothing is there.
    /// `as_wanted`: leaf, chain, key, mode and whatever else deploy would set are so already.
    void live(const std::optional<std::string>& der, bool as_wanted, std::size_t i = 0,
              std::int64_t not_after = 0) const {
        certcast_live found = live_of(i, der ? CERTCAST_PRESENT : CERTCAST_ABSENT);
        if (der) {
            found.evidence_kind = CERTCAST_EVIDENCE_DER;
            found.evidence = bytes_of(*der);
            found.not_after = not_after;
        }
        found.as_wanted = as_wanted ? 1 : 0;
        live(found);
    }
    /// It could not be found out which certificate is there, or there is one that tells nothing.
    void live_unknown(std::size_t i = 0, bool as_wanted = false) const {
        certcast_live found = live_of(i, CERTCAST_PRESENCE_UNKNOWN);
        found.as_wanted = as_wanted ? 1 : 0;
        live(found);
    }
    void live(const certcast_live& found) const { check(host_.live(&host_, &found), "live"); }

    /// Records what undoing the next change takes. Once this returns it is durable, and only then
    /// may the change be made. Not more than 16 MiB.
    void step(std::string_view label, ByteView undo) const {
        check(host_.step(&host_, detail::str(label), bytes_of(undo)), "recording a step");
    }
    void step(std::string_view label, const FileImage& image) const { step(label, pack(image)); }
    /// Oldest first; to be undone from the last to the first.
    std::vector<RecordedStep> steps() const {
        std::vector<RecordedStep> steps;
        const auto* next = reinterpret_cast<const std::uint8_t*>(job_.steps);
        for (std::uint64_t i = 0; i < job_.step_count; ++i, next += job_.step_stride) {
            const auto& step = *reinterpret_cast<const certcast_step*>(next);
            steps.push_back({i, detail::view(step.label), detail::view(step.undo), step.attempt,
                             step.undone != 0});
        }
        return steps;
    }
    void step_undone(const RecordedStep& step) const {
        check(host_.step_undone(&host_, step.index), "recording that a step is undone");
    }
    /// Replaces what later runs see as state(); at most 1 MiB.
    void set_state(ByteView state) const {
        check(host_.set_state(&host_, bytes_of(state)), "storing the state");
    }

    /// Waits, for a reboot say, while others use the deployment's slot. Throws where the stage is
    /// to stop, also when it was told so before.
    void wait(std::chrono::milliseconds time, std::string_view why) const {
        throw_if_cancelled();
        check(host_.wait(&host_, milliseconds(time), detail::str(why)), "waiting");
    }

    /// No kill as long as this lives, up to the time asked for.
    class Protection {
    public:
        explicit Protection(const certcast_host& host) : host_(host) {}
        Protection(const Protection&) = delete;
        Protection& operator=(const Protection&) = delete;
        ~Protection() { host_.unprotect(&host_); }

    private:
        const certcast_host& host_;
    };
    [[nodiscard]] Protection protect(std::chrono::milliseconds longest) const {
        check(host_.protect(&host_, milliseconds(longest)), "protection from being killed");
        return Protection(host_);
    }

    /// Runs the operator's command in the host, outside the sandbox. Each variable reaches it as
    /// CERTCAST_<NAME>.
    template <bool Given>
    CommandOutput run_command(const Param<detail::CommandKind, Given>& param,
                              std::initializer_list<NamedText> variables = {}) const {
        const auto raw = raw_fields(std::span(variables.begin(), variables.size()));
        return output_of(param.name(), [&](certcast_str name, certcast_command_result* result) {
            return host_.run_command(&host_, name, raw.data(), raw.size(), result);
        });
    }
    /// The same, once for all deployments that ask for an equal command with an equal identity.
    template <bool Given>
    CommandOutput request_reload(std::string_view identity,
                                 const Param<detail::CommandKind, Given>& param) const {
        return output_of(param.name(), [&](certcast_str name, certcast_command_result* result) {
            return host_.request_reload(&host_, detail::str(identity), name, result);
        });
    }

    /// A finding of validate or inspect. Level::error fails the stage. path as in "files[1].key".
    void diagnose(Level severity, std::string_view path, std::string_view summary,
                  std::string_view detail = {}) const {
        check(host_.diagnose(&host_, static_cast<std::uint32_t>(severity), detail::str(path),
                             detail::str(summary), detail::str(detail)),
              "diagnose");
    }
    void changed(std::size_t i = 0, bool yes = true) const {
        check(host_.set_changed(&host_, i, yes ? 1 : 0), "set_changed");
    }
    /// A fact for the report, such as the remote id of what was uploaded.
    void output(std::string_view name, std::string_view value) const {
        check(host_.output(&host_, detail::str(name), detail::str(value)), "output");
    }
    /// In discover: a target, for `${target.name}`. Letters, digits and "-_.:@", neither - nor . in
    /// front, at most 255; at most 1,000 of them.
    void target_found(std::string_view name) const { output(name, {}); }
    /// What `find_out` gives as a Shared: once for all deployments of the run that have the same
    /// values of .account(), while others wait for it, `patience` at most. It comes from another
    /// process: check it like what a server sends. `refused`: one that has proved wrong.
    template <typename Ask>
    Sensitive shared(std::string_view name, std::chrono::milliseconds patience, Ask find_out,
                     const Sensitive& refused = {}) const {
        const auto* session = static_cast<const certcast_session*>(extension(CERTCAST_SESSION_1));
        if (session == nullptr) return Shared(find_out()).answer;
        certcast_bytes found{};
        const std::int32_t status = session->find(&host_, detail::str(name), bytes_of(refused),
                                                  milliseconds(patience), &found);
        if (status == CERTCAST_OK) return Sensitive(detail::view(found));
        if (status == CERTCAST_E_CANCELLED) check(status, "waiting for another deployment");
        Shared own = find_out();
        session->keep(&host_, detail::str(name), bytes_of(own.answer), milliseconds(own.lifetime));
        return std::move(own.answer);
    }
    const void* extension(std::string_view id) const {
        return host_.get_extension(&host_, detail::str(id));
    }

    const certcast_job& raw() const { return job_; }

private:
    Object config() const { return Object(*job_.config); }

    static certcast_bytes bytes_of(ByteView bytes) { return {bytes.bytes(), bytes.size()}; }
    static std::uint64_t milliseconds(std::chrono::milliseconds time) {
        return static_cast<std::uint64_t>(std::max(time.count(), std::int64_t{0}));
    }
    static std::vector<certcast_field> raw_fields(std::span<const NamedText> fields) {
        std::vector<certcast_field> raw;
        for (const auto& [name, value] : fields) {
            raw.push_back({detail::str(name), detail::str(value)});
        }
        return raw;
    }
    static certcast_live live_of(std::size_t i, std::uint32_t presence) {
        certcast_live live{};
        live.size = sizeof(live);
        live.certificate = i;
        live.presence = presence;
        return live;
    }
    static certcast_material_query query_of(std::uint32_t kind, std::size_t i,
                                            Generation generation) {
        certcast_material_query query{};
        query.size = sizeof(query);
        query.certificate = i;
        query.kind = kind;
        query.generation = static_cast<std::uint32_t>(generation);
        return query;
    }

    std::string_view ask(std::uint32_t kind, std::size_t i) const {
        const certcast_material_query query = query_of(kind, i, Generation::current);
        certcast_bytes out{};
        check_material(host_.material(&host_, &query, &out));
        return detail::view(out);
    }
    /// The certificate may have been loaded without its key, as the pipeline says.
    void check_material(std::int32_t status) const {
        if (status == CERTCAST_E_NOT_FOUND) throw config_error(last_error("the certificate"));
        check(status, "a certificate's material");
    }
    std::optional<std::string> former(std::uint32_t kind, std::size_t i) const {
        const certcast_material_query query = query_of(kind, i, Generation::former);
        certcast_bytes out{};
        const std::int32_t status = host_.material(&host_, &query, &out);
        if (status == CERTCAST_E_NOT_FOUND) return std::nullopt;
        check(status, "the former certificate");
        return std::string(detail::view(out));
    }
    Sensitive secret_named(certcast_str name, bool refresh) const {
        certcast_bytes out{};
        const std::uint32_t flags = refresh ? CERTCAST_SECRET_REFRESH : 0;
        const std::int32_t status = host_.secret(&host_, name, flags, &out);
        if (status == CERTCAST_E_HOST || status == CERTCAST_E_NOT_FOUND) {
            throw config_error(last_error("the secret '" + std::string(detail::view(name)) + "'"));
        }
        check(status, "a secret");
        return Sensitive(detail::view(out));
    }

    template <typename Call>
    CommandOutput output_of(std::string_view param, Call call) const {
        certcast_command_result result{};
        result.size = sizeof(result);
        const std::int32_t status = call(detail::str(param), &result);
        if (status == CERTCAST_E_HOST || status == CERTCAST_E_NOT_FOUND) {
            throw config_error(last_error("the command '" + std::string(param) + "'"));
        }
        check(status, param);
        return {result.status, result.truncated != 0, std::string(detail::view(result.output))};
    }

    std::string last_error(std::string what) const {
        const std::string_view why = detail::view(host_.last_error(&host_));
        if (!why.empty()) what += ": " + std::string(why);
        return what;
    }
    void check(std::int32_t status, std::string_view what) const {
        if (status == CERTCAST_OK) return;
        if (status == CERTCAST_E_CANCELLED) throw_if_cancelled();
        const std::string message = last_error(std::string(what) + " was refused");
        if (status == CERTCAST_E_CANCELLED) throw cancelled_error(message);
        throw internal_error(message);
    }

    const certcast_job& job_;
    const certcast_host& host_;
};

/// Brings back what `job.step(label, read_file(path))` recorded.
inline void restore_file(const std::filesystem::path& path, const RecordedStep& step) {
    restore_file(path, unpack_file(step.undo));
}

}  // namespace certcast
