// What a library says of itself, as a fork server that ran its code passes it on.

#include "core/pipeline/read_pipeline.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/example.hpp"
#include "core/plugin/identity.hpp"
#include "tests/fuzz/expect.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

using namespace certcast;
using namespace certcast::testing;

namespace {

/// Uses a deployer that was accepted, for an example pipeline of its own making.
void use(const Library& library, const Descriptor& deployer) {
    needs_in_words(deployer);
    const std::string text =
        "format = 1\n[certificate.shop]\nsource = \"live\"\n[deploy.here]\n"
        "plugin = \"" +
        deployer.id + "\"\ncertificate = \"shop\"\nprobe = false\n" + "[deploy.here.config]\n" +
        example_config(deployer, "shop", "");
    const FindDeployer find =
        [&](const std::string& id) -> Result<std::pair<const Library*, const Descriptor*>> {
        if (id == deployer.id) return std::make_pair(&library, &deployer);
        return Error{ErrorCode::not_found, "there is no plugin \"" + id + "\"", {}};
    };
    const PipelineReading reading = read_pipeline_text(text, "/etc/example.toml", find);
    for (const Diagnostic& diagnostic : reading.diagnostics) {
        expect(!diagnostic.message.starts_with("no valid TOML"), "an example is TOML");
    }
    if (!reading.pipeline) return;
    for (const Deployment& deployment : reading.pipeline->deployments) {
        expect(!deployment.identities.empty(), "a deployment has an identity");
        wire::Writer out;
        encode(deployment.config, out);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto library = decode_library(std::as_bytes(std::span(data, size)), "/lib/fuzz.so");
    if (!library) {
        expect(!library.error().message.empty(), "a refusal says why");
        return 0;
    }
    expect(!library->deployers.empty(), "a library has a deployer");
    for (const Descriptor& deployer : library->deployers) use(*library, deployer);
    return 0;
}
