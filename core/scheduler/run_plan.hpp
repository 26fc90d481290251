#pragma once

#include "core/scheduler/fleet.hpp"
#include "core/scheduler/scheduler.hpp"
#include "core/scheduler/slots.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <deque>
#include <string>
#include <vector>

namespace certcast {

/// Counts until enough of an entry's deployments have succeeded, or no longer can.
struct QuorumCount {
    std::string text;  ///< "95% of fleet"
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
    Slots::Groups groups;   ///< its plugin's, and its account's
    std::size_t rank = 0;   ///< lower goes first
    std::size_t unmet = 0;  ///< needs, quorums and an earlier wave
    std::vector<Task*> dependents;
    std::vector<QuorumCount*> counted_by;
    Fleet* fleet = nullptr;  ///< of those that are started wave by wave
    std::size_t place_in_fleet = 0;
    bool has_arrived = false;               ///< the fleet knows what became of it
    std::vector<std::string> locks;         ///< sorted, without duplicates
    std::vector<std::string> shared_locks;  ///< of them, those that others may want, too
    bool probes_account = false;            ///< it goes ahead of all that wait for the account
    Place place = Place::before_needs;
    Clock::time_point began;
    boost::asio::cancellation_signal stop;
};

/// What one run is going to do: its deployments, linked by their needs.
struct RunPlan {
    RunReport report;          ///< of nothing done yet, in the order of the pipeline
    std::deque<Task> tasks;    ///< in the order of the pipeline; they point into the report
    std::vector<Task*> order;  ///< by rank: soonest-expiring certificate first
    std::deque<Fleet> fleets;
    std::deque<QuorumCount> quorums;
};

/// The plan stays where it is put: its parts point at each other.
void make_plan(const boost::asio::any_io_executor& executor, const Pipeline& pipeline,
               const RunOptions& options, Slots& slots, RunPlan& plan);

}  // namespace certcast
