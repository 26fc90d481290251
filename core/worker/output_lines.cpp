#include "core/worker/output_lines.hpp"

#include <utility>

namespace certcast {

namespace {

constexpr std::uint64_t most_kept = 256 * 1024;
constexpr std::size_t longest_line = 4096;

}  // namespace

std::vector<std::string> OutputLines::take(std::string_view piece) {
    std::vector<std::string> lines;
    for (const char character : piece) {
        // The rest of a long line is no line of its own: it would tear a secret in two, and neither
        // half would be masked.
        const bool fits = character == '\n' || line_.size() < longest_line;
        if (++seen_ > most_kept || !fits) {
            ++dropped_;
        } else if (character == '\n') {
            lines.push_back(std::exchange(line_, {}));
        } else {
            line_.push_back(character);
        }
    }
    return lines;
}

std::vector<std::string> OutputLines::rest() {
    std::vector<std::string> lines;
    if (!line_.empty()) lines.push_back(std::move(line_));
    line_.clear();
    if (dropped_ != 0) {
        lines.push_back("(" + std::to_string(dropped_) + " more bytes of output were dropped)");
    }
    return lines;
}

}  // namespace certcast
