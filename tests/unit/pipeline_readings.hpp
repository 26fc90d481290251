#pragma once

#include "core/pipeline/read_pipeline.hpp"
#include "tests/unit/fake_catalog.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>

namespace certcast::testing {

inline PipelineReading read(const std::string& text,
                            const std::filesystem::path& file = "/etc/p.toml") {
    return read_pipeline_text(text, file, plugins().find());
}

inline std::string all_of(const PipelineReading& reading) {
    std::string text;
    for (const Diagnostic& diagnostic : reading.diagnostics) text += diagnostic.text() + "\n";
    return text;
}

inline Pipeline good(const std::string& text) {
    PipelineReading reading = read(text);
    INFO(all_of(reading));
    REQUIRE(reading.pipeline.has_value());
    return std::move(*reading.pipeline);
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

inline Duration timeout_of(const Deployment& deployment, Stage stage) {
    return deployment.timeouts[static_cast<std::size_t>(stage)];
}

/// Everything an entry needs but the entry; six lines.
inline const std::string head = R"(format = 1
[certificate.shop]
source = "live/shop"
[certificate.mail]
source = "live/mail"
[deploy.edge]
)";
/// A right entry with room for another key behind it, in line 10.
inline const std::string entry = head + R"(plugin = "place"
certificate = "shop"
probe = false
)";

}  // namespace certcast::testing
