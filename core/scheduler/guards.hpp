#pragma once

#include "core/certificate/certificate_bundle.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/worker/session.hpp"

#include <optional>
#include <string>

namespace certcast {

/// Why a certificate is not put in the place of another, by the guard that says so.
struct Refusal {
    std::string guard;  ///< the key in the pipeline that switches it off
    std::string why;
};

/// Looks whether what is there now is better than what is to replace it, as far as the evidence
/// tells: a whole certificate, or an expiry only.
std::optional<Refusal> refused_by_guard(const Guards& guards, const CertificateBundle& wanted,
                                        const Live& live);

}  // namespace certcast
