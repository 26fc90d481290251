#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/plugin/raw_value.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// Reads where secrets come from, named ones and inline ones, and never what they are.
class SecretReading {
public:
    /// `folder` is where relative paths start.
    SecretReading(std::filesystem::path folder, Diagnostics& diagnostics)
        : folder_(std::move(folder)), diagnostics_(diagnostics) {}

    /// A [secret.NAME] table.
    void add_named(const RawEntry& entry, const std::string& path);

    /// { secret = NAME } or an inline source, anywhere a secret is wanted. Gives the key in
    /// Pipeline::secrets, or an empty text after reporting what is wrong. Equal inline sources
    /// share one key: `key` of the first of them.
    std::string reference(const RawValue& value, const std::string& path, const std::string& key);

    std::map<std::string, SecretSource> take() { return std::move(sources_); }

private:
    std::optional<SecretSource> source(const RawValue& table, const std::string& path);

    std::filesystem::path folder_;
    Diagnostics& diagnostics_;
    std::map<std::string, SecretSource> sources_;
    std::vector<std::string> named_;
    std::map<std::string, std::string> inline_keys_;  ///< by what makes two sources equal
};

}  // namespace certcast
