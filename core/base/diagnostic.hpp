#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

/// Where in a file something stands, counted from 1. Line 0: nowhere in particular.
struct Location {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    std::string text() const;  ///< file:line:column
};

/// Something an operator should know about what they wrote: a mistake or a warning.
struct Diagnostic {
    enum class Severity { warning, error };
    Severity severity = Severity::error;
    Location location;
    std::string message;

    /// "file:line:column: error: message".
    std::string text() const;
};

/// Collects everything that is wrong with a file, so that it is told at once.
class Diagnostics {
public:
    void error(const Location& location, std::string message);
    void warning(const Location& location, std::string message);

    bool has_errors() const { return errors_ != 0; }
    std::size_t error_count() const { return errors_; }
    /// Where there are more errors than `errors` by now: the first of the others. Everything that
    /// was reported since there were `count` is forgotten then.
    std::optional<Diagnostic> take_back(std::size_t count, std::size_t errors);
    std::size_t count() const { return all_.size(); }
    /// Sorted by position, equal ones once.
    std::vector<Diagnostic> take();

private:
    void add(Diagnostic diagnostic);

    std::vector<Diagnostic> all_;
    std::size_t errors_ = 0;
};

}  // namespace certcast
