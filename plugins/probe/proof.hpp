#pragma once

#include "plugins/probe/served_certificate.hpp"

#include <certcast/job.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tls {

/// One place where one certificate of the job has to be served.
struct Check {
    certcast::Endpoint endpoint;
    std::string server_name;
    std::size_t certificate = 0;
    Protocol protocol = Protocol::tls;
    bool staple = false;  ///< an OCSP response, too
};

/// What has to be served: the certificate that is being deployed, with exactly its chain, or while
/// recovering the former one, of which only the leaf is known.
struct Expected {
    std::string sha256;
    std::string description;
    std::optional<std::vector<std::string>> intermediates;
    KeyKind kind = KeyKind::any;

    /// Nothing: it is not known what was there before.
    static std::optional<Expected> of(const certcast::Job& job, std::size_t certificate);
};

/// What the addresses of one check answered, compared with what is expected.
struct Finding {
    std::vector<Served> answers;
    std::string problem;  ///< empty: served as expected
    Served::Failure failure = Served::Failure::none;

    bool good() const { return problem.empty(); }
    /// The leaf that was seen: a wrong one before a right one.
    const std::string* leaf(const Expected& expected) const;
};

/// "127.0.0.1:443 as shop.example".
std::string place(const Check& check);

Finding look(const Check& check, const Expected& expected, const Patience& patience);

/// When to believe that it is served: after this many looks in a row, over at least this time.
struct Certainty {
    std::int64_t consecutive = 1;
    std::chrono::milliseconds steady_for{0};
};

/// Looks again, with growing pauses, until it is certain or the patience ends.
Finding look_until_served(const Check& check, const Expected& expected, const Patience& patience,
                          const Certainty& certainty);

/// Why it failed, as the error that the host should see.
[[noreturn]] void throw_problem(const certcast::Job& job, const Finding& finding);

}  // namespace tls
