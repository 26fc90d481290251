#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Cuts what a plugin prints into lines, of which only so many and so much of each are kept.
class OutputLines {
public:
    /// The lines that this piece completes.
    std::vector<std::string> take(std::string_view piece);
    /// A last line without an end, and how much was dropped.
    std::vector<std::string> rest();
    std::uint64_t seen() const { return seen_; }

private:
    std::string line_;
    std::uint64_t seen_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace certcast
