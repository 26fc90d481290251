#pragma once

#include "core/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace certcast {

/// A number and a unit: "64KiB", "512MiB", "2GiB". At most 1 PiB.
Result<std::uint64_t> parse_byte_size(std::string_view text);

/// The shortest exact spelling: "1536KiB", "2GiB"; "100B" where no unit fits.
std::string to_byte_size(std::uint64_t bytes);

}  // namespace certcast
