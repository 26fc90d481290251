#pragma once

#include "core/plugin/descriptor.hpp"
#include "core/plugin/raw_value.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace certcast {

/// What checking a configuration takes beside the configuration and its schema.
struct SchemaContext {
    std::filesystem::path folder;           ///< relative paths start here; absolute itself
    std::vector<std::string> certificates;  ///< of the deployment, in its order
    /// Takes note of where a secret comes from and gives the name to ask the host for. Reports what
    /// is wrong with the reference itself; must never quote a text that may be the secret.
    std::function<std::string(const RawValue& reference, const std::string& path)> secret;
};

/// Checks a configuration table against a schema and reports every mistake. The Value is an OBJECT
/// with every parameter in the schema's order, defaults applied; it is only good when nothing was
/// reported as an error. `path` is the table's name in messages.
Value check_config(const RawValue& table, std::span<const Parameter> params,
                   const std::string& path, const SchemaContext& context, Diagnostics& diagnostics);

/// What is wrong with the default value of a parameter, or nothing.
std::optional<std::string> wrong_default(const Parameter& param);

}  // namespace certcast
