#include "core/cli/pipeline_context.hpp"

#include "core/worker/worker_program.hpp"

#include <iostream>

namespace certcast {

namespace {

constexpr int describe_seconds = 10;

}  // namespace

Catalog make_catalog(const Places& places, bool remember) {
    auto describe = [program = places.worker_program](const std::filesystem::path& library) {
        return describe_library(program, library, describe_seconds);
    };
    return {places.plugin_folders, std::move(describe),
            remember ? places.cache_folder : std::filesystem::path()};
}

bool print_diagnostics(const std::vector<Diagnostic>& diagnostics, const TextFilter& filter) {
    bool errors = false;
    for (const Diagnostic& diagnostic : diagnostics) {
        std::cerr << filter.line(diagnostic.text()) << '\n';
        errors = errors || diagnostic.severity == Diagnostic::Severity::error;
    }
    return errors;
}

std::optional<Pipeline> explained(PipelineReading reading, const Catalog& catalog,
                                  const TextFilter& filter) {
    print_diagnostics(reading.diagnostics, filter);
    // One of them may be what the pipeline asks for.
    if (!reading.pipeline) print_problems(catalog, filter);
    return std::move(reading.pipeline);
}

std::optional<Pipeline> read_or_explain(const std::filesystem::path& file, Catalog& catalog,
                                        const TextFilter& filter, WrittenDeployment* written) {
    return explained(
        read_pipeline(
            file, [&catalog](const std::string& id) { return catalog.find(id); }, written),
        catalog, filter);
}

void print_problems(const Catalog& catalog, const TextFilter& filter) {
    for (const Error& problem : catalog.problems()) {
        std::cerr << "not usable: " << filter.line(problem.text()) << '\n';
    }
}

}  // namespace certcast
