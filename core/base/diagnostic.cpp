#include "core/base/diagnostic.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace certcast {

namespace {

auto position(const Diagnostic& diagnostic) {
    const Location& location = diagnostic.location;
    return std::tie(location.file, location.line, location.column);
}

}  // namespace

std::string Location::text() const {
    if (line == 0) return file;
    return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Diagnostic::text() const {
    return location.text() + (severity == Severity::error ? ": error: " : ": warning: ") + message;
}

void Diagnostics::error(const Location& location, std::string message) {
    ++errors_;
    add({Diagnostic::Severity::error, location, std::move(message)});
}

void Diagnostics::warning(const Location& location, std::string message) {
    add({Diagnostic::Severity::warning, location, std::move(message)});
}

void Diagnostics::add(Diagnostic diagnostic) {
    // What is read once per target finds the same mistake for each.
    if (!all_.empty() && position(all_.back()) == position(diagnostic) &&
        all_.back().message == diagnostic.message) {
        return;
    }
    all_.push_back(std::move(diagnostic));
}

std::optional<Diagnostic> Diagnostics::take_back(std::size_t count, std::size_t errors) {
    if (errors_ <= errors) return std::nullopt;
    const auto begin = all_.begin() + static_cast<std::ptrdiff_t>(count);
    const auto first = std::find_if(begin, all_.end(), [](const Diagnostic& one) {
        return one.severity == Diagnostic::Severity::error;
    });
    std::optional<Diagnostic> found;
    if (first != all_.end()) found = *first;
    all_.erase(begin, all_.end());
    errors_ = errors;
    return found;
}

std::vector<Diagnostic> Diagnostics::take() {
    std::stable_sort(all_.begin(), all_.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tuple_cat(position(a), std::tie(a.message)) <
               std::tuple_cat(position(b), std::tie(b.message));
    });
    all_.erase(std::unique(all_.begin(), all_.end(),
                           [](const Diagnostic& a, const Diagnostic& b) {
                               return position(a) == position(b) && a.message == b.message;
                           }),
               all_.end());
    errors_ = 0;
    return std::exchange(all_, {});
}

}  // namespace certcast
