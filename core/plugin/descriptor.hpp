#pragma once

#include "core/base/duration.hpp"
#include "core/base/error.hpp"
#include "core/plugin/value.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// The stages of an attempt; the numbers are those of the ABI.
enum class Stage : std::uint32_t {
    validate = 0,
    discover = 1,
    inspect = 2,
    deploy = 3,
    verify = 4,
    settle = 5,
    rollback = 6,
    close = 7,
};
inline constexpr std::size_t stage_count = 8;
std::string_view name_of(Stage stage);

/// One parameter that an operator may write under config; the mirror of certcast_param.
struct Parameter {
    std::string name;
    std::string doc;
    ParameterType type = ParameterType::none;
    ParameterType element_type = ParameterType::none;
    std::uint64_t flags = 0;  ///< CERTCAST_REQUIRED and the like
    std::vector<std::string> aliases;
    std::vector<std::string> choices;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::optional<std::string> default_value;
    std::string pattern;
    std::vector<Parameter> fields;

    bool has(std::uint64_t flag) const { return (flags & flag) != 0; }
};

/// A path that a deployer touches beside its parameters.
struct FileGrant {
    std::string path;
    std::uint64_t flags = 0;
};

/// What a deployer says of itself.
struct Descriptor {
    std::string id;
    std::string version;
    std::string name;
    std::string vendor;
    std::string url;
    std::uint64_t needs = 0;  ///< CERTCAST_NEEDS_NETWORK and the like
    std::vector<Parameter> params;
    std::vector<FileGrant> files;
    std::array<Duration, stage_count> stage_timeouts{};  ///< zero: the host's
    Duration grace{};
    Duration longest_protect{};
    std::uint32_t max_certificates = 0;
    std::uint32_t max_parallel = 0;
    std::uint32_t stages = 0;  ///< bit per Stage that the deployer has

    bool needs_flag(std::uint64_t flag) const { return (needs & flag) != 0; }
    bool has(Stage stage) const { return ((stages >> static_cast<std::uint32_t>(stage)) & 1) != 0; }
};

/// "network, private key", or "nothing".
std::string needs_in_words(const Descriptor& descriptor);

/// One shared library and the deployers in it.
struct Library {
    std::filesystem::path path;
    bool cold_start = false;  ///< exec and load for each attempt
    std::vector<Descriptor> deployers;
};

/// First number in what a describing process sends.
inline constexpr std::uint32_t describe_format = 1;

/// Reads what a describing fork server sent. It ran foreign code: nothing in it is trusted.
Result<Library> decode_library(std::span<const std::byte> bytes, std::filesystem::path path);

}  // namespace certcast
