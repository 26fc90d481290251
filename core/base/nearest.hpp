#pragma once

#include <span>
#include <string>
#include <string_view>

namespace certcast {

/// The name that was probably meant, by edit distance; empty where none is near.
std::string nearest(std::string_view name, std::span<const std::string> known);

/// "; did you mean \"NAME\"?" where a name is near, else "; expected one of A, B, C", to be put
/// behind a message about an unknown name. Empty where nothing is known.
std::string suggestion(std::string_view name, std::span<const std::string> known);

}  // namespace certcast
