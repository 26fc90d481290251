#include "core/report/paint.hpp"

#include <unistd.h>

#include <cstdlib>

namespace certcast {

TerminalSettings TerminalSettings::of(int fd) {
    return {::isatty(fd) == 1, std::getenv("TERM"), std::getenv("NO_COLOR")};
}

bool TerminalSettings::is_interactive() const {
    if (!is_terminal || term == nullptr) return false;
    const std::string_view kind = term;
    return !kind.empty() && kind != "dumb";
}

bool TerminalSettings::wants_colour() const {
    const bool forbidden = no_color != nullptr && *no_color != '\0';
    return is_interactive() && !forbidden;
}

}  // namespace certcast
