#include "core/report/table.hpp"

#include "core/report/phrases.hpp"
#include "core/report/text_filter.hpp"

#include <algorithm>

namespace certcast {

std::string table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const Row& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], width(row[i]));
        }
    }
    std::string text;
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            text += i + 1 == row.size() ? row[i] : padded(row[i], widths[i]) + "  ";
        }
        text += '\n';
    }
    return text;
}

std::string short_print(const std::string& sha256) {
    return sha256.empty() ? "-" : sha256.substr(0, 16);
}

std::string expiry(std::int64_t not_after, std::int64_t now) {
    if (not_after == 0) return "-";
    const std::string day = rfc3339_seconds(not_after).substr(0, 10);
    if (not_after <= now) return day + " (expired)";
    return day + " (in " + std::to_string((not_after - now) / 86'400) + " days)";
}

}  // namespace certcast
