#pragma once

#include "core/scheduler/fleet.hpp"
#include "core/scheduler/scheduler.hpp"
#include "core/scheduler/slots.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace certcast {

/// Counts until enough of an entry's deployments have succeeded, or no longer can.
struct QuorumCount {
    Share at_least;
    std::string entry;
    std::size_t needed = 0;
    std::size_t can_succeed = 0;  ///< those that have, and those that have not ended
    std::size_t succeeded = 0;
    bool some_deferred = false;
    bool is_decided = false;
    std::vector<Task*> dependents;
};

/// One deployment on its way through a run.
struct Task {
    enum class Place { before_needs, under_way, ended };

    const Deployment* deployment = nullptr;
    DeploymentReport* report = nullptr;
    Slots::Groups groups{};  ///< its plugin's, and its account's
    std::size_t rank = 0;    ///< lower goes first
    std::size_t unmet = 0;   ///< needs, quorums and an earlier wave
    std::vector<Task*> dependents;
    const std::vector<QuorumCount*>* counted_by = nullptr;  ///< those of its entry
    Fleet* fleet = nullptr;  ///< of those that are started wave by wave
    std::size_t place_in_fleet = 0;
    bool has_arrived = false;        ///< the fleet knows what became of it
    std::vector<std::string> locks;  ///< sorted, without duplicates
    bool probes_account = false;     ///< it goes ahead of all that wait for the account
    Place place = Place::before_needs;
    Clock::time_point began;
    boost::asio::cancellation_signal stop;
};

/// What one run is going to do: its deployments, linked by their needs.
struct RunPlan {
    RunReport report;               ///< of nothing done yet, in the order of the pipeline
    std::deque<Task> tasks;         ///< in the order of the pipeline; they point into the report
    std::vector<Task*> order;       ///< by rank: soonest-expiring certificate first
    std::vector<Task*> not_to_run;  ///< disabled, or of a plugin that cannot be used
    std::deque<Fleet> fleets;
    std::deque<QuorumCount> quorums;
    std::map<std::string_view, std::vector<QuorumCount*>> quorums_of;  ///< by entry
};

/// Of a deployment's locks those that others of its entry may want as well: sorted, without
/// duplicates.
std::vector<std::string> shared_locks_of(const Deployment& deployment);

/// The plan stays where it is put: its parts point at each other.
void make_plan(const boost::asio::any_io_executor& executor, const Pipeline& pipeline,
               const RunOptions& options, Slots& slots, RunPlan& plan);

}  // namespace certcast
