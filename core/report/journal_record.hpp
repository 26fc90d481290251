#pragma once

#include "core/journal/journal.hpp"
#include "core/report/text_filter.hpp"
#include "core/scheduler/certificate_store.hpp"
#include "core/scheduler/run_observer.hpp"

#include <string>

namespace certcast {

/// What should be there of a deployment's certificates, of those that could be read.
std::vector<WantedCertificate> wanted_of(const Deployment& deployment,
                                         const CertificateStore& certificates);

/// Writes a run down in the journal, as it happens. Everything referred to outlives it.
class JournalRecord : public RunObserver {
public:
    JournalRecord(Journal& journal, const CertificateStore& certificates, TextFilter filter)
        : journal_(journal), certificates_(certificates), filter_(filter) {}

    void run_started(const Pipeline& pipeline, const RunReport& report) override;
    void attempt_started(const Deployment& deployment, std::uint32_t attempt) override;
    void log(const Deployment& deployment, const LogLine& line) override;
    void attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                          const Outcome& outcome) override;
    void deployment_finished(const DeploymentReport& report) override;
    void run_finished(const RunReport& report) override;

private:
    Journal& journal_;
    const CertificateStore& certificates_;
    TextFilter filter_;
    std::string run_;
    std::string pipeline_file_;
    const std::int64_t begun_at_ = now_in_ms();  ///< before the certificates were read
};

}  // namespace certcast
