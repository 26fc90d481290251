#pragma once

#include "core/base/duration.hpp"
#include "core/cli/places.hpp"
#include "core/cli/renewal.hpp"
#include "core/scheduler/run_report.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

struct RunArguments {
    std::filesystem::path pipeline;
    std::vector<std::string> only;
    std::vector<std::string> tags;
    bool force = false;
    bool verbose = false;
    bool no_journal = false;
    bool resume = false;
    bool dry_run = false;  ///< nothing is changed, and nothing written anywhere
    bool plan = false;     ///< a dry run of which only the outcome is shown
    bool json = false;     ///< of a plan
    /// Only deployments of certificates that an ACME client has told about.
    std::optional<Renewal> renewal;
    std::optional<std::size_t> max_changes;
    std::uint32_t max_parallel = 0;
    Duration lock_timeout{60'000};
    std::string output = "auto";
    std::filesystem::path report;
};

struct HistoryArguments {
    std::filesystem::path pipeline;  ///< empty: all of them
    std::uint32_t most = 20;
    bool json = false;
    bool prune = false;
    std::optional<Duration> older_than;
    std::optional<std::int64_t> keep;
};

struct ShowArguments {
    std::string run;         ///< a name, the beginning of one, or "last"
    std::string deployment;  ///< empty: all of them
    bool json = false;
};

struct StatusArguments {
    std::filesystem::path pipeline;
    bool json = false;
};

struct HookArguments {
    RunArguments run;
    std::string from = "auto";
    bool queue = false;                  ///< only record what is wanted
    std::vector<std::string> arguments;  ///< of the hook itself
};

struct ExplainArguments {
    std::filesystem::path pipeline;
    std::string deployment;
    bool json = false;
};

struct ForgetArguments {
    std::string deployment;
    std::filesystem::path pipeline;  ///< empty: whichever it is
};

/// certcast run: everything that is needed for one run, in order. The exit status.
int run_command(const RunArguments& arguments, const Places& places);
/// certcast plan: what a run would change, and why.
int plan_command(RunArguments arguments, const Places& places);
/// certcast check: what can be known offline. Touches nothing and runs no secret's command.
int check_command(const std::filesystem::path& pipeline, const Places& places);
/// certcast history: the runs that there were; with --prune it forgets some.
int history_command(const HistoryArguments& arguments, const Places& places);
/// certcast show RUN [DEPLOYMENT]: all that is known of a run.
int show_command(const ShowArguments& arguments, const Places& places);
/// certcast status PIPELINE: what should be where, and what was seen there.
int status_command(const StatusArguments& arguments, const Places& places);
/// certcast hook: what an ACME client runs when it has renewed a certificate. The exit status is
/// one that the client is well with.
int hook_command(const HookArguments& arguments, const Places& places);
/// certcast explain PIPELINE DEPLOYMENT: what is in force for it, and where that is said.
int explain_command(const ExplainArguments& arguments, const Places& places);
/// certcast forget DEPLOYMENT: what it has left half-way is not to be undone any more.
int forget_command(const ForgetArguments& arguments, const Places& places);
/// certcast plugins: the plugins that there are, and what could not be used.
int plugins_command(const Places& places);
/// certcast plugin show ID: all that a deployer says of itself.
int plugin_show_command(const std::string& id, const Places& places);

}  // namespace certcast
