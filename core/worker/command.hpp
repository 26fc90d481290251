#pragma once

#include "core/base/duration.hpp"
#include "core/base/error.hpp"
#include "core/base/secret.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

/// The operator's own argument list, to be run outside any plugin's sandbox.
struct Command {
    std::vector<std::string> argv;
    std::vector<std::pair<std::string, std::string>> environment;  ///< added to the host's own
    std::filesystem::path working_folder;                          ///< empty: the host's
    Duration timeout{60'000};
    std::size_t output_limit = 256 * 1024;
    bool capture_stderr = true;  ///< false: standard error goes nowhere, as for a secret's command
};

struct CommandResult {
    int status = 0;  ///< exit status, or 128 + signal
    bool timed_out = false;
    bool truncated = false;
    Secret output;
};

/// Runs commands. The seam at which tests of attempts and secrets need a fake.
class CommandRunner {
public:
    virtual ~CommandRunner() = default;
    /// An error only where the command could not be started. Cancelling kills its process tree.
    virtual boost::asio::awaitable<Result<CommandResult>> run(Command command) = 0;
};

}  // namespace certcast
