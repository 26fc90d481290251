#pragma once

#include "core/base/duration.hpp"
#include "core/cli/places.hpp"
#include "core/scheduler/run_report.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace certcast {

struct RunArguments {
    std::filesystem::path pipeline;
    std::vector<std::string> only;
    bool force = false;
    bool verbose = false;
    std::uint32_t max_parallel = 0;
    Duration lock_timeout{60'000};
    std::string output = "auto";
    std::filesystem::path report;
};

/// certcast run: everything that is needed for one run, in order. The exit status.
int run_command(const RunArguments& arguments, const Places& places);
/// certcast check: what can be known offline. Touches nothing and runs no secret's command.
int check_command(const std::filesystem::path& pipeline, const Places& places);
/// certcast plugins: the plugins that there are, and what could not be used.
int plugins_command(const Places& places);
/// certcast plugin show ID: all that a deployer says of itself.
int plugin_show_command(const std::string& id, const Places& places);

}  // namespace certcast
