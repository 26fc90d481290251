#pragma once

#include "core/journal/history.hpp"
#include "core/report/text_filter.hpp"

#include <boost/json/array.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// One deployment of a past run, with what its plugin said.
struct PastDeploymentLog {
    PastDeployment deployment;
    std::vector<PastLine> lines;
};

/// What is known of one certificate of one deployment, and what that comes to.
struct CertificateStatus {
    enum class State {
        as_wanted,
        differs,    ///< something else was seen there
        unknown,    ///< nobody has seen what is there
        never_run,  ///< the journal knows nothing of it
        queued,     ///< an ACME client has asked for it, and no run has done it yet
        unsettled,  ///< something was begun, and neither proven nor undone
        unclaimed   ///< the same, by a deployment that the pipeline does not have any more
    };
    KnownCertificate known;
    State state = State::never_run;
};
std::string_view name_of(CertificateStatus::State state);

/// A run that has no end yet goes on, or was killed.
std::string status_of(const PastRun& run);
/// "not started" and "unknown" are of a run that was killed.
std::string status_of(const PastDeployment& deployment);

/// "mail at file=/etc/postfix/tls.crt, half-way since 2026-11-23T09:45:00Z".
std::string in_words(const HalfWay& one);

/// Tables for people, one line each, with a heading.
std::string in_a_table(const std::vector<PastRun>& runs, const TextFilter& filter);
std::string in_a_table(const std::vector<CertificateStatus>& all, const TextFilter& filter,
                       std::int64_t now);
/// A whole run: what it was, then each deployment with its log.
std::string in_full(const PastRun& run, const std::vector<PastDeploymentLog>& deployments,
                    const TextFilter& filter);

boost::json::array to_json(const std::vector<PastRun>& runs, const TextFilter& filter);
boost::json::array to_json(const std::vector<CertificateStatus>& all, const TextFilter& filter);
boost::json::object to_json(const PastRun& run, const std::vector<PastDeploymentLog>& deployments,
                            const TextFilter& filter);

}  // namespace certcast
