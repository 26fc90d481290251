#include "core/base/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace certcast {

namespace {

constexpr std::size_t longest_compared = 64;
constexpr std::size_t most_compared = 200;

/// Insertions, deletions, replacements and swaps of neighbours, each counted once; `limit` where
/// there are as many or more.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit) return limit;
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
        // A swap goes two rows back.
        if (std::min(*std::min_element(row.begin(), row.end()),
                     *std::min_element(last.begin(), last.end())) >= limit) {
            return limit;
        }
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return std::min(last[b.size()], limit);
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> known) {
    if (name.size() > longest_compared) return {};
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const std::string& candidate : known.first(std::min(known.size(), most_compared))) {
        if (candidate.size() > longest_compared) continue;
        const std::size_t apart = distance(name, candidate, best_distance);
        if (apart < best_distance) {
            best_distance = apart;
            best = candidate;
        }
    }
    return best;
}

std::string suggestion(std::string_view name, std::span<const std::string> known) {
    constexpr std::size_t most_listed = 24;
    if (known.empty()) return {};
    if (const std::string near = nearest(name, known); !near.empty()) {
        return "; did you mean \"" + near + "\"?";
    }
    std::string text = known.size() == 1 ? "; expected " : "; expected one of ";
    for (std::size_t i = 0; i < known.size(); ++i) {
        if (i == most_listed) return text + ", ...";
        text += (i == 0 ? "" : ", ") + known[i];
    }
    return text;
}

}  // namespace certcast
