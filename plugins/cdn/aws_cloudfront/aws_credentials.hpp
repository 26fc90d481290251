#pragma once

#include "plugins/cdn/signing/canonical_request.hpp"

#include <certcast/http.hpp>
#include <certcast/job.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace cdn {

/// Credentials of AWS, and how long they are good for.
class AwsCredentials {
public:
    struct Given {
        Credentials credentials;
        std::optional<std::chrono::system_clock::time_point> until{};
    };
    /// `again`: those that it has given were refused.
    using Source = std::function<Given(const certcast::Job&, bool again)>;

    explicit AwsCredentials(Source source) : source_(std::move(source)) {}

    /// Asked for again shortly before their end.
    const Credentials& get(const certcast::Job& job);
    void renew(const certcast::Job& job) { given_ = source_(job, true); }

private:
    Source source_;
    std::optional<Given> given_;
};

/// Of one profile in a file as the AWS command line has it.
/// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
Credentials profile_in(const std::filesystem::path& file, std::string_view text,
                       std::string_view profile);
Credentials read_profile(const std::filesystem::path& file, std::string_view profile);

/// Of the role of the machine, by the instance metadata service in its version 2.
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
AwsCredentials::Given ask_metadata(const std::string& endpoint, const certcast::Job& job);

}  // namespace cdn
