#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cdn {

/// What a vendor answers instead of doing what it was asked.
struct Refusal {
    std::string code;
    std::string message;
    long status = 0;  ///< of HTTP; some vendors refuse with 200
    std::optional<std::chrono::milliseconds> retry_after{};
};

/// What that means to whoever asks.
enum class Meaning {
    throttled,  ///< too many requests
    later,      ///< the vendor is in trouble, or still at work on a change
    auth,       ///< the credentials, or what they may do
    clock,      ///< the time of the request
    missing,    ///< what is asked for is not there
    in_use,     ///< it cannot be removed
    conflict,   ///< somebody else has changed it
    config,     ///< what the pipeline says
    refused     ///< anything else
};

/// A vendor's code of an error; with a '*' at its end, all that begin so.
struct CodeMeaning {
    std::string_view code;
    Meaning meaning;
    std::string_view words{};  ///< that the message has in it
};

/// The first that fits, else by the status.
Meaning meaning_of(const Refusal& refusal, std::span<const CodeMeaning> known);

/// `what`: what was asked for, as in "binding the certificate".
[[noreturn]] void throw_refusal(const std::string& what, const Refusal& refusal, Meaning meaning);

}  // namespace cdn
