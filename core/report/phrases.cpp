#include "core/report/phrases.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace certcast {

namespace {

std::string utc(std::int64_t seconds, const char* format) {
    const std::time_t time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    std::array<char, 64> text{};
    if (gmtime_r(&time, &parts) == nullptr) return {};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

bool shown_beside_message(const LogLine& line) {
    return line.level == LogLevel::warning || line.level == LogLevel::error;
}

}  // namespace

std::string in_words(Status status) {
    return status == Status::timed_out ? "timed out" : std::string(name_of(status));
}

std::string one_line(const DeploymentReport& deployment, const TextFilter& filter) {
    std::string text = in_words(deployment.status);
    if (deployment.good()) {
        const bool was_left_out = deployment.attempts == 0 || deployment.status == Status::deferred;
        if (was_left_out) {
            return deployment.reason.empty() ? text : text + ": " + filter.line(deployment.reason);
        }
        text += " in " + in_words(deployment.duration);
        if (deployment.attempts > 1) text += ", attempt " + std::to_string(deployment.attempts);
        if (deployment.proof != Proof::none) {
            text += ", proven by " + std::string(name_of(deployment.proof));
        } else if (deployment.status == Status::changed) {
            text += ", without proof";
        }
        return deployment.late ? text + ", late" : text;
    }
    if (deployment.attempts == 0 || !deployment.error) {
        if (!deployment.reason.empty()) text += " (" + filter.line(deployment.reason) + ")";
        if (deployment.error) text += ": " + filter.line(reason_of(*deployment.error));
        return text;
    }
    text += " in " + std::string(stage_of(*deployment.error)) + ", attempt " +
            std::to_string(deployment.attempts) + ", " + in_words(deployment.duration);
    return text + ": " + filter.line(reason_of(*deployment.error));
}

std::string one_line(const LogLine& line, const TextFilter& filter) {
    std::string text;
    if (shown_beside_message(line)) text = std::string(name_of(line.level)) + ": ";
    text += filter.line(line.message);
    for (const auto& [name, value] : line.fields) {
        text += ", " + filter.line(name) + "=" + filter.line(value);
    }
    return text;
}

std::string rfc3339(std::chrono::system_clock::time_point time) {
    const auto since_epoch = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
    const auto rest = std::chrono::floor<std::chrono::milliseconds>(since_epoch - seconds);
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(rest.count()));
    return utc(seconds.count(), "%Y-%m-%dT%H:%M:%S") + fraction.data();
}

std::string rfc3339_seconds(std::int64_t seconds) {
    return utc(seconds, "%Y-%m-%dT%H:%M:%SZ");
}

}  // namespace certcast
