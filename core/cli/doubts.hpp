#pragma once

#include "core/base/diagnostic.hpp"
#include "core/pipeline/pipeline.hpp"
#include "core/scheduler/certificate_store.hpp"

#include <vector>

namespace certcast {

/// Warnings of what a pipeline needs of this machine and that is not there: programs of its
/// commands, files and variables of its secrets. Looks, and runs nothing.
std::vector<Diagnostic> missing_here(const Pipeline& pipeline);

/// Warnings of probes whose server name the certificate that they expect does not cover.
std::vector<Diagnostic> uncovered_names(const Pipeline& pipeline,
                                        const CertificateStore& certificates);

/// Warnings of folders that a plugin is granted to write although something is in them that is not
/// the plugin's: the pipeline itself, a certificate, a secret.
std::vector<Diagnostic> wide_grants(const Pipeline& pipeline);

}  // namespace certcast
