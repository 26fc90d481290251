#pragma once

#include "core/scheduler/scheduler.hpp"
#include "core/scheduler/slots.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <deque>
#include <vector>

namespace certcast {

/// One deployment on its way through a run.
struct Task {
    enum class Place { before_needs, under_way, ended };

    const Deployment* deployment = nullptr;
    DeploymentReport* report = nullptr;
    Slots::Groups groups;   ///< its plugin's, and its account's
    std::size_t rank = 0;   ///< lower goes first
    std::size_t unmet = 0;  ///< needs
    std::vector<Task*> dependents;
    std::vector<std::string> locks;  ///< sorted, without duplicates
    Place place = Place::before_needs;
    Clock::time_point began;
    boost::asio::cancellation_signal stop;
};

/// What one run is going to do: its deployments, linked by their needs.
struct RunPlan {
    RunReport report;          ///< of nothing done yet, in the order of the pipeline
    std::deque<Task> tasks;    ///< in the order of the pipeline; they point into the report
    std::vector<Task*> order;  ///< by rank: soonest-expiring certificate first
};

/// The plan stays where it is put: its parts point at each other.
void make_plan(const Pipeline& pipeline, const RunOptions& options, Slots& slots, RunPlan& plan);

}  // namespace certcast
