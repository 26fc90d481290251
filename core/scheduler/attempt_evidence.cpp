#include "core/scheduler/attempt.hpp"
#include "core/scheduler/guards.hpp"
#include "core/scheduler/validation.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <chrono>

namespace certcast {

namespace {

const Live* find(const std::vector<Live>& lives, std::uint64_t certificate) {
    const auto found = std::find_if(lives.begin(), lives.end(), [&](const Live& live) {
        return live.certificate == certificate;
    });
    return found == lives.end() ? nullptr : &*found;
}

std::string hex_of(std::span<const std::byte> bytes) {
    Sha256 digest{};
    if (bytes.size() != digest.size()) return {};
    std::transform(bytes.begin(), bytes.end(), digest.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    return to_hex(digest);
}

/// Where it is what was wanted, it has been parsed before.
Serving serving_of(const Live& live, std::string seen_by, const CertificateBundle* wanted) {
    Serving serving{.not_after = live.not_after, .seen_by = std::move(seen_by)};
    if (live.presence != CERTCAST_PRESENT) return serving;
    if (live.evidence_kind == CERTCAST_EVIDENCE_SHA256) serving.sha256 = hex_of(live.evidence);
    if (live.evidence_kind != CERTCAST_EVIDENCE_DER) return serving;
    const Sha256 digest =
        sha256_of({reinterpret_cast<const char*>(live.evidence.data()), live.evidence.size()});
    if (wanted != nullptr && digest == wanted->sha256()) {
        serving.sha256 = to_hex(digest);
        serving.not_after = std::chrono::system_clock::to_time_t(wanted->not_after());
    } else if (const Result<LeafFacts> facts = facts_of_der(live.evidence)) {
        serving.sha256 = to_hex(digest);
        serving.not_after = std::chrono::system_clock::to_time_t(facts->not_after);
    }
    return serving;
}

}  // namespace

bool Attempt::as_wanted() const {
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        const Live* live = find(calls_.facts().inspected, i);
        if (live == nullptr || !live->as_wanted) return false;
    }
    return !deployment_.certificates.empty();
}

/// A server that does not know a name yet serves something else for it.
bool Attempt::is_of_probed_name(const Live& probed) const {
    const Result<LeafFacts> facts = facts_of_der(probed.evidence);
    if (!facts) return false;
    return std::all_of(
        deployment_.probes.begin(), deployment_.probes.end(), [&](const ProbeCheck& check) {
            if (check.certificate != probed.certificate || check.server_name.empty()) return true;
            return std::any_of(facts->names.begin(), facts->names.end(), [&](const auto& name) {
                return covers_name(name, check.server_name);
            });
        });
}

/// Than the plugin has said of what is there.
bool Attempt::guards_want_to_know_more() const {
    const Guards& guards = deployment_.guards;
    if (!guards.names && !guards.staging && !guards.older) return false;
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        if (services_.certificates.find(deployment_.certificates[i]) == nullptr) continue;
        const Live* live = find(calls_.facts().inspected, i);
        const bool is_whole = live != nullptr && live->evidence_kind == CERTCAST_EVIDENCE_DER;
        const bool is_absent = live != nullptr && live->presence == CERTCAST_ABSENT;
        if (!is_whole && !is_absent) return true;
    }
    return false;
}

Outcome Attempt::judged_by_guards() const {
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        const CertificateBundle* wanted = services_.certificates.find(deployment_.certificates[i]);
        const Live* live = find(calls_.facts().inspected, i);
        const Live* probed = find(probed_, i);
        const bool is_whole = live != nullptr && live->evidence_kind == CERTCAST_EVIDENCE_DER;
        const bool is_absent = live != nullptr && live->presence == CERTCAST_ABSENT;
        if (!is_whole && !is_absent && probed != nullptr && is_of_probed_name(*probed)) {
            live = probed;
        }
        if (wanted == nullptr || live == nullptr) continue;
        const auto refusal = refused_by_guard(deployment_.guards, *wanted, *live);
        if (!refusal) continue;
        Outcome refused =
            Outcome::of(Ended::failed, Stage::inspect, Category::config,
                        "the guard \"" + refusal->guard + "\" kept certificate " +
                            deployment_.certificates[i] + " from being deployed: " + refusal->why +
                            "; where that is meant: guards = { " + refusal->guard + " = \"off\" }");
        refused.failure.code = "guard:" + refusal->guard;
        return refused;
    }
    return Outcome::success(Stage::inspect);
}

/// In one word or two, for whoever asks before it is done.
std::string Attempt::why_it_changes() const {
    if (services_.force) return "forced";
    if (unknown_) return "unknown, an earlier deployment did not come to an end";
    if (!has(Stage::inspect)) return "unknown, the plugin cannot inspect";
    if (seen_as_wanted_) return "not served";
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        const Live* live = find(calls_.facts().inspected, i);
        if (live == nullptr || live->presence == CERTCAST_PRESENCE_UNKNOWN) return "unknown";
        if (live->as_wanted) continue;
        if (live->presence == CERTCAST_ABSENT) return "absent";
        const std::int64_t not_after = serving_of(*live, "inspect", nullptr).not_after;
        return not_after != 0 && not_after <= now ? "expired" : "differs";
    }
    return "differs";
}

/// A verify that looked at nothing proves nothing.
bool Attempt::plugin_has_seen_all() const {
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        const Live* live = find(calls_.facts().verified, i);
        if (live == nullptr || live->presence != CERTCAST_PRESENT) return false;
    }
    return !deployment_.certificates.empty();
}

bool Attempt::probe_agrees() const {
    return std::all_of(deployment_.probes.begin(), deployment_.probes.end(),
                       [&](const ProbeCheck& check) {
                           const Live* live = find(probed_, check.certificate);
                           return live != nullptr && live->as_wanted;
                       });
}

/// What the stage found out about the configuration: warnings go to the report, an error fails it.
Outcome Attempt::failed_by_findings(Stage stage) {
    Outcome outcome = Outcome::success(stage);
    for (const Finding& finding : std::exchange(calls_.facts().findings, {})) {
        const std::string text = in_words(finding);
        if (finding.severity != LogLevel::error) {
            warn(text);
        } else if (outcome.succeeded()) {
            outcome = Outcome::of(Ended::failed, stage, Category::config, text);
        }
    }
    return outcome;
}

void Attempt::note_what_is_served() {
    const AttemptFacts& facts = calls_.facts();
    const bool undone = result_.rollback == RollbackState::done;
    // A deployer that can undo and recorded no step has changed nothing yet.
    const bool untouched = !touched_ || has(Stage::rollback);
    const bool as_before =
        undone || (!proven_ && untouched && result_.rollback == RollbackState::none);
    for (std::uint64_t i = 0; i < deployment_.certificates.size(); ++i) {
        const CertificateBundle* wanted = services_.certificates.find(deployment_.certificates[i]);
        Serving serving;
        if (const Live* seen = find(probed_, i)) {
            serving = serving_of(*seen, "probe", wanted);
        } else if (const Live* verified = find(facts.verified, i); verified && proven_) {
            serving = serving_of(*verified, "verify", wanted);
        } else if (const Live* before = find(undone ? former_ : facts.inspected, i);
                   before && as_before) {
            serving = serving_of(*before, "inspect", wanted);
        }
        result_.serving.push_back(std::move(serving));
    }
}

}  // namespace certcast
