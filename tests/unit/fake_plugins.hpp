#pragma once

#include "core/plugin/descriptor.hpp"

#include <certcast/plugin.h>

#include <string>
#include <utility>
#include <vector>

namespace certcast::testing {

inline Parameter parameter(std::string name, ParameterType type, std::uint64_t flags = 0) {
    Parameter param;
    param.name = std::move(name);
    param.type = type;
    param.flags = flags;
    return param;
}

inline Parameter parameter_list(std::string name, ParameterType element, std::uint64_t flags = 0) {
    Parameter param = parameter(std::move(name), ParameterType::list, flags);
    param.element_type = element;
    return param;
}

inline Descriptor deployer(std::string id, std::vector<Parameter> params) {
    Descriptor descriptor;
    descriptor.id = std::move(id);
    descriptor.version = "1.0.0";
    descriptor.name = "A fake";
    descriptor.params = std::move(params);
    descriptor.stages = 1u << CERTCAST_STAGE_DEPLOY;
    return descriptor;
}

/// One parameter of every type.
inline std::vector<Parameter> every_type() {
    using Type = ParameterType;
    Parameter port = parameter("port", Type::integer);
    port.min = 1;
    port.max = 65535;
    port.default_value = "443";
    Parameter mode = parameter("mode", Type::choice);
    mode.choices = {"fast", "safe"};
    Parameter word = parameter("word", Type::text);
    word.pattern = "[a-z]+[0-9]*";
    Parameter pause = parameter("pause", Type::duration);
    pause.min = 1000;
    pause.max = 60'000;
    pause.aliases = {"delay"};
    Parameter labels = parameter("labels", Type::map);
    labels.element_type = Type::text;
    Parameter files = parameter_list("files", Type::object);
    files.fields = {parameter("path", Type::path, CERTCAST_REQUIRED | CERTCAST_IDENTITY),
                    parameter("certificate", Type::certificate)};
    files.max = 3;
    Parameter old = parameter("old", Type::text, CERTCAST_DEPRECATED);
    old.doc = "use word";
    return {port,
            mode,
            word,
            pause,
            labels,
            files,
            old,
            parameter("fast", Type::boolean),
            parameter("password", Type::secret),
            parameter("link", Type::url),
            parameter("host", Type::endpoint),
            parameter("reload", Type::command)};
}

}  // namespace certcast::testing
