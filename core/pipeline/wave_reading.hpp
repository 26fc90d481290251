#pragma once

#include "core/pipeline/pipeline.hpp"
#include "core/pipeline/table_reader.hpp"

#include <optional>

namespace certcast {

/// Reads a number from `least` on, or a share like "5%". nullopt: it is none, and that is reported.
std::optional<Share> read_share(TableReader& reader, std::string_view key, const RawValue& value,
                                std::uint32_t least);

/// Reads waves, pause, max_failures and on_abort of an entry with targets. nullopt: it has none.
std::optional<Waves> read_waves(TableReader& reader, bool has_targets,
                                const Descriptor* descriptor);

}  // namespace certcast
