#include "core/scheduler/guards.hpp"

#include "core/certificate/facts.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace certcast {

namespace {

using Clock = std::chrono::system_clock;

/// What test issuers of certificate authorities call themselves: Let's Encrypt's staging, its
/// former one, and the test server Pebble.
constexpr std::array<std::string_view, 3> staging_words{"staging", "fake le ", "pebble"};

bool is_staging(std::string issuer) {
    std::transform(issuer.begin(), issuer.end(), issuer.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return std::any_of(staging_words.begin(), staging_words.end(), [&](std::string_view word) {
        return issuer.find(word) != std::string::npos;
    });
}

bool is_covered(const std::string& name, const std::vector<std::string>& patterns) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return covers_name(pattern, name); });
}

std::string day_of(std::int64_t seconds) {
    return utc_text(seconds).substr(0, 10);
}

std::string day_of(Clock::time_point time) {
    return day_of(Clock::to_time_t(time));
}

std::optional<Refusal> refused_for_names(const CertificateBundle& wanted, const LeafFacts& live) {
    std::string missing;
    for (const std::string& name : live.names) {
        if (!is_covered(name, wanted.names())) missing += (missing.empty() ? "" : ", ") + name;
    }
    if (missing.empty()) return std::nullopt;
    return Refusal{"names", "what is there now is for " + missing + ", too"};
}

std::optional<Refusal> refused_as_older(const CertificateBundle& wanted, const Live& live,
                                        const LeafFacts* facts) {
    if (facts != nullptr) {
        if (wanted.not_before() >= facts->not_before) return std::nullopt;
        return Refusal{"older", "what is there now was issued later, on " +
                                    day_of(facts->not_before) + " instead of " +
                                    day_of(wanted.not_before())};
    }
    if (live.not_after == 0) return std::nullopt;
    // Issued for as long as this one. Where that were in the future it was issued for longer, and
    // when is not known.
    const auto issued =
        Clock::from_time_t(live.not_after) - (wanted.not_after() - wanted.not_before());
    if (issued <= wanted.not_before() || issued > Clock::now()) return std::nullopt;
    return Refusal{"older", "what is there now expires later, on " + day_of(live.not_after) +
                                " instead of " + day_of(wanted.not_after())};
}

}  // namespace

std::optional<Refusal> refused_by_guard(const Guards& guards, const CertificateBundle& wanted,
                                        const Live& live) {
    if (live.presence != CERTCAST_PRESENT) return std::nullopt;
    std::optional<LeafFacts> facts;
    if (live.evidence_kind == CERTCAST_EVIDENCE_DER) {
        if (Result<LeafFacts> known = facts_of_der(live.evidence)) facts = std::move(*known);
    }
    // What has expired is worth no protection.
    const auto now = Clock::now();
    const bool has_expired = facts ? facts->not_after <= now
                                   : live.not_after != 0 && live.not_after <= Clock::to_time_t(now);
    if (has_expired) return std::nullopt;
    std::optional<Refusal> refusal;
    if (guards.names && facts) refusal = refused_for_names(wanted, *facts);
    if (!refusal && guards.staging && facts && is_staging(wanted.issuer()) &&
        !is_staging(facts->issuer)) {
        refusal = Refusal{"staging", "it was issued by " + wanted.issuer() +
                                         ", for tests, and what is there now by " + facts->issuer};
    }
    if (!refusal && guards.older) {
        refusal = refused_as_older(wanted, live, facts ? &*facts : nullptr);
    }
    return refusal;
}

}  // namespace certcast
