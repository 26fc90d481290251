#pragma once

#include "core/base/nearest.hpp"
#include "core/pipeline/read_pipeline.hpp"
#include "tests/unit/fake_plugins.hpp"

#include <string>
#include <utility>
#include <vector>

namespace certcast::testing {

/// Plugins "every" (a parameter of every type), "place" (one path that is its identity), "probe".
class FakePlugins {
public:
    FakePlugins() {
        constexpr std::uint64_t written = CERTCAST_IDENTITY | CERTCAST_WRITES;
        Parameter port = parameter("port", ParameterType::integer);
        port.default_value = "22";
        library_.path = "/lib/fake.so";
        library_.deployers = {deployer("every", every_type()),
                              deployer("place", {parameter("path", ParameterType::path,
                                                           CERTCAST_REQUIRED | CERTCAST_IDENTITY),
                                                 parameter("note", ParameterType::text), port}),
                              deployer("probe", {}),
                              deployer("writer", {parameter("crt", ParameterType::path, written),
                                                  parameter("key", ParameterType::path, written)})};
        Descriptor& every = library_.deployers[0];
        every.stage_timeouts[static_cast<std::size_t>(Stage::verify)] = Duration(11'000);
        every.stage_timeouts[static_cast<std::size_t>(Stage::deploy)] = Duration(12'000);
        every.grace = Duration(13'000);
        every.max_certificates = 2;
        every.max_parallel = 9;
    }

    FindDeployer find() const {
        return
            [this](const std::string& id) -> Result<std::pair<const Library*, const Descriptor*>> {
                for (const Descriptor& descriptor : library_.deployers) {
                    if (descriptor.id == id) return std::make_pair(&library_, &descriptor);
                }
                const std::vector<std::string> known{"every", "place", "probe"};
                return Error{ErrorCode::not_found,
                             "there is no plugin \"" + id + "\"" + suggestion(id, known),
                             {}};
            };
    }

private:
    Library library_;
};

inline const FakePlugins& plugins() {
    static const FakePlugins fakes;
    return fakes;
}

}  // namespace certcast::testing
