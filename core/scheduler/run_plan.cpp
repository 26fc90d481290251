#include "core/scheduler/run_plan.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <random>
#include <string_view>
#include <unordered_map>

namespace certcast {

namespace {

std::string new_run_id(std::chrono::system_clock::time_point now) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 32> time{};
    std::strftime(time.data(), time.size(), "%Y%m%dT%H%M%SZ", &utc);
    std::array<char, 8> suffix{};
    std::snprintf(suffix.data(), suffix.size(), "-%04x", std::random_device()() & 0xffffu);
    return std::string(time.data()) + suffix.data();
}

std::vector<std::string> lock_names(const Deployment& deployment) {
    std::vector<std::string> names;
    for (const std::string& one : deployment.identities) names.push_back("identity:" + one);
    for (const std::string& one : deployment.exclusives) names.push_back("exclusive:" + one);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::uint32_t plugin_limit(const Pipeline& pipeline, const Deployment& deployment) {
    std::uint32_t limit =
        deployment.descriptor != nullptr ? deployment.descriptor->max_parallel : 0;
    const auto found = pipeline.plugin_limits.find(deployment.plugin);
    if (found != pipeline.plugin_limits.end() && found->second.max_parallel) {
        const std::uint32_t own = *found->second.max_parallel;
        limit = limit == 0 ? own : std::min(limit, own);
    }
    return limit;
}

DeploymentReport blank_report(const Deployment& deployment) {
    DeploymentReport report;
    report.name = deployment.name;
    report.plugin = deployment.plugin;
    report.target = deployment.target;
    report.certificates = deployment.certificates;
    return report;
}

}  // namespace

bool matches_any(const std::string& name, const std::vector<std::string>& globs) {
    return globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
               return ::fnmatch(glob.c_str(), name.c_str(), 0) == 0;
           });
}

void make_plan(const Pipeline& pipeline, const RunOptions& options, Slots& slots, RunPlan& plan) {
    plan.report.started = std::chrono::system_clock::now();
    plan.report.run = new_run_id(plan.report.started);
    plan.report.pipeline = pipeline.name;
    plan.report.pipeline_file = pipeline.file.string();

    std::unordered_map<std::string_view, Task*> by_name;
    for (const Deployment& deployment : pipeline.deployments) {
        if (!matches_any(deployment.name, options.only)) continue;
        Task& task = plan.tasks.emplace_back();
        task.deployment = &deployment;
        task.group = &slots.group(deployment.plugin, plugin_limit(pipeline, deployment));
        task.locks = lock_names(deployment);
        by_name.emplace(deployment.name, &task);
        plan.report.deployments.push_back(blank_report(deployment));
    }

    std::vector<std::chrono::system_clock::time_point> expiry;
    for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
        Task& task = plan.tasks[i];
        task.report = &plan.report.deployments[i];
        task.rank = i;
        plan.order.push_back(&task);
        for (const std::string& need : task.deployment->needs) {
            const auto found = by_name.find(need);
            if (found == by_name.end()) continue;
            found->second->dependents.push_back(&task);
            ++task.unmet;
        }
        if (options.expiry) expiry.push_back(options.expiry(*task.deployment));
    }
    if (!options.expiry) return;
    std::stable_sort(plan.order.begin(), plan.order.end(), [&](const Task* a, const Task* b) {
        return expiry[a->rank] < expiry[b->rank];
    });
    // The comparison above reads the ranks as places in the file, so they change only now.
    for (std::size_t i = 0; i < plan.order.size(); ++i) plan.order[i]->rank = i;
}

}  // namespace certcast
