#include "plugins/cdn/refusal.hpp"

#include <certcast/errors.hpp>

namespace cdn {

namespace {

bool fits(std::string_view code, std::string_view known) {
    if (!known.ends_with('*')) return code == known;
    known.remove_suffix(1);
    return code.starts_with(known);
}

}  // namespace

Meaning meaning_of(const Refusal& refusal, std::span<const CodeMeaning> known) {
    for (const auto& [code, meaning, words] : known) {
        const bool says_so = refusal.message.find(words) != std::string::npos;
        if (!says_so || !fits(refusal.code, code)) continue;
        // In trouble, it does not mean what it says.
        return meaning == Meaning::config && refusal.status >= 500 ? Meaning::later : meaning;
    }
    switch (refusal.status) {
        case 401:
        case 403:
            return Meaning::auth;
        case 404:
            // With a code that is not known, it may be the address that is not there.
            return refusal.code.empty() ? Meaning::missing : Meaning::refused;
        case 409:
        case 412:
            return Meaning::conflict;
        case 429:
            return Meaning::throttled;
        default:
            return refusal.status >= 500 ? Meaning::later : Meaning::refused;
    }
}

void throw_refusal(const std::string& what, const Refusal& refusal, Meaning meaning) {
    std::string text = what + ": " + refusal.message;
    if (refusal.message.empty()) text += "the answer was " + std::to_string(refusal.status);
    if (!refusal.code.empty()) text += " (" + refusal.code + ")";
    const std::string& code = refusal.code;
    const auto after = refusal.retry_after.value_or(std::chrono::milliseconds(0));
    switch (meaning) {
        case Meaning::throttled:
        case Meaning::later:
            throw certcast::remote_error(text).code(code).retry_later(after);
        case Meaning::auth:
            throw certcast::auth_error(text).code(code);
        case Meaning::clock:
            throw certcast::config_error(text + "; is the clock of this machine right?").code(code);
        case Meaning::conflict:
            throw certcast::conflict_error(text).code(code);
        case Meaning::missing:
        case Meaning::config:
            throw certcast::config_error(text).code(code);
        case Meaning::in_use:
        case Meaning::refused:
            break;
    }
    throw certcast::remote_error(text).code(code).permanent();
}

}  // namespace cdn
