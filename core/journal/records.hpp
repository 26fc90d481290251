#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

// What a journal is told of a run while it goes on. Times are milliseconds since 1970; texts hold
// no secret; the names of statuses and the like are the report's.

inline std::int64_t in_ms(std::chrono::system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
inline std::int64_t now_in_ms() {
    return in_ms(std::chrono::system_clock::now());
}

/// Of the statuses of a deployment those that mean that it is as it should be.
inline bool has_succeeded(const std::string& status) {
    return status == "changed" || status == "unchanged";
}

/// What should be there of one certificate.
struct WantedCertificate {
    std::string name;
    std::string sha256;          ///< of the leaf, hexadecimal
    std::int64_t not_after = 0;  ///< seconds since 1970
};

/// What was seen there.
struct ObservedCertificate {
    std::string name;
    std::string sha256;          ///< empty: not known, or nothing was there
    std::int64_t not_after = 0;  ///< 0: not known
    std::string seen_by;         ///< "probe", "verify" or "inspect"
};

/// Something that was begun, and is neither proven nor undone.
struct HalfWay {
    std::string key;         ///< of the memory
    std::string deployment;  ///< as it was called then
    std::string pipeline_file;
    std::int64_t since = 0;
    std::vector<std::string> places;  ///< what it deploys to
};

/// As an operator knows it: without the plugin that is in front of it.
inline std::string without_plugin(const std::string& place) {
    return place.substr(place.find('|') + 1);
}

struct RunStarted {
    struct Planned {
        std::string name;
        std::string plugin;
        std::string target;
        std::string digest;  ///< of all that the pipeline says of it
        std::vector<WantedCertificate> certificates;
    };
    std::string run;
    std::string pipeline;
    std::string pipeline_file;
    std::int64_t at = 0;
    std::vector<Planned> deployments;
};

/// To be deployed by the next run, whatever the last one came to.
struct Queued {
    std::string pipeline_file;
    std::string deployment;
    std::int64_t at = 0;
    std::vector<WantedCertificate> certificates;  ///< as far as they are known
};

struct AttemptStarted {
    std::string run;
    std::string deployment;
    std::uint32_t attempt = 0;
    std::int64_t at = 0;
};

struct AttemptFinished {
    std::string run;
    std::string deployment;
    std::uint32_t attempt = 0;
    std::int64_t at = 0;
    std::string outcome;
    std::string message;
};

struct LoggedLine {
    std::string run;
    std::string deployment;
    std::int64_t at = 0;
    std::string level;
    std::string message;
};

struct DeploymentFinished {
    std::string run;
    std::string pipeline_file;
    std::string deployment;
    std::int64_t at = 0;
    std::int64_t wanted_at = 0;  ///< when it was read what is wanted
    std::string status;
    std::string reason;
    std::string message;  ///< of its failure
    std::string rollback;
    std::string rollback_message;
    std::string proof;
    std::uint32_t attempts = 0;
    std::int64_t duration_ms = 0;
    std::vector<std::pair<std::string, std::string>> outputs;
    std::vector<ObservedCertificate> certificates;
};

struct RunFinished {
    std::string run;
    std::int64_t at = 0;
    std::string status;
};

}  // namespace certcast
