#include "core/base/shell_word.hpp"

namespace certcast {

std::string in_single_quotes(std::string_view word) {
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

std::string shell_word(std::string_view word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@%,";
    const bool harmless = !word.empty() && word.find_first_not_of(plain) == std::string_view::npos;
    return harmless ? std::string(word) : in_single_quotes(word);
}

}  // namespace certcast
