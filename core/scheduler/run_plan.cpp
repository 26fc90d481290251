#include "core/scheduler/run_plan.hpp"

#include "core/scheduler/deployment_memory.hpp"
#include "core/scheduler/lock_table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <map>
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

void sort_without_duplicates(std::vector<std::string>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
}

std::vector<std::string> lock_names(const Deployment& deployment) {
    // What is remembered of it is nobody else's meanwhile.
    const std::string key = deployment.identities.empty() ? memory_key(deployment) : "";
    std::vector<std::string> names = locks_of_places(deployment.identities, key);
    for (std::string& one : shared_locks_of(deployment)) names.push_back(std::move(one));
    sort_without_duplicates(names);
    return names;
}

/// What the operator allows of a plugin counts for all of its deployments; what the plugin says of
/// itself, for those of one account.
Slots::Groups groups_of(const Pipeline& pipeline, const Deployment& deployment, Slots& slots) {
    const auto allowed = pipeline.plugin_limits.find(deployment.plugin);
    const std::uint32_t of_plugin = allowed == pipeline.plugin_limits.end() ? 0 : allowed->second;
    const std::uint32_t of_account =
        deployment.descriptor == nullptr ? 0 : deployment.descriptor->max_parallel;
    Slots::Groups groups{};
    if (of_plugin != 0) groups[0] = &slots.group("plugin:" + deployment.plugin, of_plugin);
    if (of_account != 0) {
        const std::string name = "account:" + deployment.plugin + ":" + deployment.account;
        groups[1] = &slots.group(name, of_account);
    }
    return groups;
}

DeploymentReport blank_report(const Deployment& deployment) {
    DeploymentReport report;
    report.name = deployment.name;
    report.plugin = deployment.plugin;
    report.sandbox = deployment.sandbox;
    report.target = deployment.target;
    report.certificates = deployment.certificates;
    return report;
}

/// One count for all that need as many of the same.
void count_quorums(RunPlan& plan) {
    std::map<std::string, QuorumCount*> known;
    for (Task& task : plan.tasks) {
        for (const Quorum& quorum : task.deployment->quorums) {
            QuorumCount*& count = known[quorum.at_least.text() + " of " + quorum.entry];
            if (count == nullptr) {
                count = &plan.quorums.emplace_back();
                count->at_least = quorum.at_least;
                count->entry = quorum.entry;
                plan.quorums_of[quorum.entry].push_back(count);
            }
            count->dependents.push_back(&task);
            ++task.unmet;
        }
    }
    for (Task& task : plan.tasks) {
        const auto found = plan.quorums_of.find(task.deployment->entry);
        if (found == plan.quorums_of.end()) continue;
        task.counted_by = &found->second;
        for (QuorumCount* count : found->second) ++count->can_succeed;
    }
    for (QuorumCount& count : plan.quorums) {
        count.needed = count.at_least.rounded_up(count.can_succeed);
    }
}

/// REQUIRES: the order is known.
void make_fleets(const boost::asio::any_io_executor& executor, RunPlan& plan) {
    std::unordered_map<std::string_view, Fleet*> known;
    for (Task* task : plan.order) {
        const Deployment& deployment = *task->deployment;
        if (!deployment.waves || deployment.disabled) continue;
        Fleet*& fleet = known[deployment.entry];
        if (fleet == nullptr) {
            fleet = &plan.fleets.emplace_back(executor, deployment.entry, *deployment.waves);
        }
        fleet->add(*task);
        task->fleet = fleet;
        ++task->unmet;
    }
    for (Fleet& fleet : plan.fleets) {
        for (Task* task : fleet.open_wave()) --task->unmet;
    }
}

void put_in_order(const Pipeline& pipeline, const RunOptions& options, RunPlan& plan) {
    if (!options.expiry) return;
    std::vector<std::chrono::system_clock::time_point> expiry;
    for (const Deployment& deployment : pipeline.deployments) {
        expiry.push_back(options.expiry(deployment));
    }
    std::stable_sort(plan.order.begin(), plan.order.end(), [&](const Task* a, const Task* b) {
        return expiry[a->rank] < expiry[b->rank];
    });
    // The comparison above reads the ranks as places in the file, so they change only now.
    for (std::size_t i = 0; i < plan.order.size(); ++i) plan.order[i]->rank = i;
}

}  // namespace

std::vector<std::string> shared_locks_of(const Deployment& deployment) {
    std::vector<std::string> names;
    for (const std::string& one : deployment.exclusives) names.push_back("exclusive:" + one);
    for (const std::string& one : deployment.locks) names.push_back("lock:" + one);
    sort_without_duplicates(names);
    return names;
}

void make_plan(const boost::asio::any_io_executor& executor, const Pipeline& pipeline,
               const RunOptions& options, Slots& slots, RunPlan& plan) {
    plan.report.started = std::chrono::system_clock::now();
    plan.report.run = new_run_id(plan.report.started);
    plan.report.pipeline = pipeline.name;
    plan.report.pipeline_file = pipeline.real_file.string();

    // By name, those alone that others need: in most pipelines they are few.
    std::unordered_map<std::string_view, Task*> needed;
    for (const Deployment& deployment : pipeline.deployments) {
        for (const std::string& need : deployment.needs) needed.emplace(need, nullptr);
    }

    const std::size_t count = pipeline.deployments.size();
    plan.report.deployments.reserve(count);  // so that each stays where it is
    plan.order.reserve(count);
    // What few pipelines have is looked for here, where each deployment is at hand anyway.
    std::vector<Task*> in_need;
    bool has_quorums = false;
    bool has_waves = false;
    for (const Deployment& deployment : pipeline.deployments) {
        Task& task = plan.tasks.emplace_back();
        task.deployment = &deployment;
        task.report = &plan.report.deployments.emplace_back(blank_report(deployment));
        task.groups = groups_of(pipeline, deployment, slots);
        task.rank = plan.order.size();
        task.locks = lock_names(deployment);
        plan.order.push_back(&task);
        if (!deployment.can_run()) plan.not_to_run.push_back(&task);
        const auto found = needed.find(deployment.name);
        if (found != needed.end()) found->second = &task;
        if (!deployment.needs.empty()) in_need.push_back(&task);
        has_quorums = has_quorums || !deployment.quorums.empty();
        has_waves = has_waves || deployment.waves != nullptr;
    }
    for (Task* task : in_need) {
        for (const std::string& need : task->deployment->needs) {
            needed.at(need)->dependents.push_back(task);
            ++task->unmet;
        }
    }
    if (has_quorums) count_quorums(plan);
    put_in_order(pipeline, options, plan);
    if (has_waves) make_fleets(executor, plan);
}

}  // namespace certcast
