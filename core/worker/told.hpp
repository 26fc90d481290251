#pragma once

#include "core/worker/frame.hpp"

#include <certcast/plugin.h>

#include <cstdint>

// What a plugin may tell the host without an answer. Its worker looks, so that the plugin hears of
// its mistake, and the host does, because it trusts no worker.

namespace certcast {

inline constexpr std::uint64_t largest_evidence = 64 * 1024;
inline constexpr std::uint64_t largest_answer = 64 * 1024;  ///< that is kept

constexpr bool may_tell(FrameType what, std::uint32_t stage) {
    if (what == FrameType::live) {
        return stage == CERTCAST_STAGE_INSPECT || stage == CERTCAST_STAGE_VERIFY;
    }
    if (what == FrameType::diagnose) {
        return stage == CERTCAST_STAGE_VALIDATE || stage == CERTCAST_STAGE_INSPECT;
    }
    return what != FrameType::set_changed || stage == CERTCAST_STAGE_DEPLOY;
}

/// Of a certcast_live, or of the host's Live.
template <typename Found>
constexpr bool is_possible(const Found& live, std::uint64_t evidence_size,
                           std::uint64_t certificate_count) {
    constexpr std::uint64_t sha256_size = 32;
    return live.certificate < certificate_count && live.presence <= CERTCAST_ABSENT &&
           live.evidence_kind <= CERTCAST_EVIDENCE_SERIAL && evidence_size <= largest_evidence &&
           (live.evidence_kind != CERTCAST_EVIDENCE_SHA256 || evidence_size == sha256_size);
}

}  // namespace certcast
