#pragma once

#include "core/base/duration.hpp"
#include "core/base/wire.hpp"

#include <cstdint>

namespace certcast {

/// How much one attempt may use. 0: no limit.
struct Limits {
    std::uint64_t memory = std::uint64_t{2} << 30;     ///< bytes
    Duration cpu{10 * 60'000};                         ///< processor time
    std::uint64_t files = 1024;                        ///< open at once, in one process
    std::uint64_t processes = 512;                     ///< and threads, at once
    std::uint64_t output = std::uint64_t{64} << 20;    ///< bytes printed and logged
    std::uint64_t file_size = std::uint64_t{1} << 30;  ///< bytes, of any file that it writes

    bool operator==(const Limits&) const = default;

    void encode(wire::Writer& out) const;
    static Limits read(wire::Reader& in);
};

}  // namespace certcast
