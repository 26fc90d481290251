#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace certcast {

/// What is wrong with a URL, or nothing.
std::optional<std::string> wrong_url(std::string_view url);

/// What is wrong with a pattern as such, or nothing.
std::optional<std::string> wrong_pattern(const std::string& pattern);

/// What is wrong with a text that the whole pattern must match, or nothing.
std::optional<std::string> wrong_match(const std::string& text, const std::string& pattern);

/// Absolute and lexically normal, without a slash at its end. `folder` is absolute.
std::string absolute_path(const std::filesystem::path& folder, const std::string& path);

}  // namespace certcast
