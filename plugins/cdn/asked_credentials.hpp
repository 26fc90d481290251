#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/job.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

namespace cdn {

/// Credentials that are asked for when the first request is signed, and again where they are over.
class AskedCredentials {
public:
    struct Given {
        Credentials credentials;
        std::optional<std::chrono::system_clock::time_point> until{};
    };
    /// `again`: those that it has given were refused.
    using Source = std::function<Given(const certcast::Job&, bool again)>;

    explicit AskedCredentials(Source source) : source_(std::move(source)) {}

    /// Asked for again shortly before their end.
    const Credentials& get(const certcast::Job& job);
    void renew(const certcast::Job& job) { given_ = source_(job, true); }

private:
    Source source_;
    std::optional<Given> given_;
};

}  // namespace cdn
