#pragma once

#include "plugins/cdn/asked_credentials.hpp"

#include <certcast/job.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace cdn {

/// Of one profile in a file as the AWS command line has it.
/// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
Credentials profile_in(const std::filesystem::path& file, std::string_view text,
                       std::string_view profile);
Credentials read_profile(const std::filesystem::path& file, std::string_view profile);

/// Of the role of the machine, by the instance metadata service in its version 2.
/// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
AskedCredentials::Given ask_metadata(const std::string& endpoint, const certcast::Job& job);

}  // namespace cdn
