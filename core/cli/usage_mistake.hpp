#pragma once

#include <CLI/CLI.hpp>

#include <span>
#include <string>

namespace certcast {

/// What is wrong with a command line that could not be parsed, with what was probably meant, and
/// where help is. `words` are the arguments, without the program's name.
std::string usage_mistake(const CLI::App& app, const CLI::ParseError& error,
                          std::span<char* const> words);

}  // namespace certcast
