// A pipeline file and, behind a NUL character, the file with targets that it may name: "hosts".

#include "core/pipeline/read_pipeline.hpp"
#include "core/pipeline/selection.hpp"
#include "core/pipeline/targets.hpp"
#include "tests/fuzz/expect.hpp"
#include "tests/unit/fake_catalog.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace certcast;
using namespace certcast::testing;

namespace {

void read_targets_of(std::string_view text) {
    Diagnostics diagnostics;
    for (const Target& target : parse_target_lines(text, "/etc/hosts.txt", diagnostics)) {
        expect(!target.name.empty(), "a target has a name");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\0'), size);
    if (end < size) read_targets_of(input.substr(end + 1));

    PipelineReading reading = read_pipeline_text(std::string(input.substr(0, end)),
                                                 "/nowhere/pipeline.toml", plugins().find());
    const bool refused = std::any_of(
        reading.diagnostics.begin(), reading.diagnostics.end(),
        [](const Diagnostic& one) { return one.severity == Diagnostic::Severity::error; });
    expect(reading.pipeline.has_value() != refused, "a pipeline is read, or refused with a reason");
    for (const Diagnostic& diagnostic : reading.diagnostics) {
        expect(!diagnostic.text().empty(), "a diagnostic says something");
    }
    if (!reading.pipeline) return 0;
    for (const Deployment& deployment : reading.pipeline->deployments) {
        expect(!deployment.identities.empty(), "a deployment has an identity");
        wire::Writer out;
        encode(deployment.config, out);
        encode(deployment.target_values, out);
    }
    select(*reading.pipeline, {"*/a*", "edge"});
    return 0;
}
