#pragma once

#include <string>
#include <string_view>

namespace certcast {

/// Colours for a terminal, or none.
class Paint {
public:
    explicit Paint(bool on = false) : on_(on) {}

    std::string bad(std::string_view text) const { return paint("\x1b[1;31m", text); }
    std::string good(std::string_view text) const { return paint("\x1b[32m", text); }
    std::string doubtful(std::string_view text) const { return paint("\x1b[33m", text); }
    std::string strong(std::string_view text) const { return paint("\x1b[1m", text); }
    std::string faint(std::string_view text) const { return paint("\x1b[2m", text); }

private:
    std::string paint(std::string_view colour, std::string_view text) const {
        if (!on_) return std::string(text);
        return std::string(colour).append(text).append("\x1b[0m");
    }

    bool on_;
};

/// What the environment says of a terminal; nullptr where a variable is not set.
struct TerminalSettings {
    bool is_terminal = false;
    const char* term = nullptr;
    const char* no_color = nullptr;

    static TerminalSettings of(int fd);

    /// The cursor can be moved.
    bool is_interactive() const;
    bool wants_colour() const;
};

}  // namespace certcast
