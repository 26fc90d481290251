#pragma once

#include "core/base/redactor.hpp"
#include "core/cli/places.hpp"
#include "core/pipeline/read_pipeline.hpp"
#include "core/plugin/catalog.hpp"
#include "core/report/text_filter.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace certcast {

/// The catalog of this machine. `remember`: descriptions may be written to the cache.
Catalog make_catalog(const Places& places, bool remember);

/// Prints diagnostics to standard error, one a line. True: there was an error among them.
bool print_diagnostics(const std::vector<Diagnostic>& diagnostics, const TextFilter& filter);

/// Prints what is wrong with a pipeline. nullopt: too much to go on.
std::optional<Pipeline> explained(PipelineReading reading, const Catalog& catalog,
                                  const TextFilter& filter);

/// Reads a pipeline and prints what is wrong with it.
std::optional<Pipeline> read_or_explain(const std::filesystem::path& file, Catalog& catalog,
                                        const TextFilter& filter,
                                        WrittenDeployment* written = nullptr);

/// Prints which plugins were found and could not be used, to standard error.
void print_problems(const Catalog& catalog, const TextFilter& filter);

}  // namespace certcast
