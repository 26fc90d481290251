#include "plugins/kubernetes/rollout.hpp"

#include "plugins/json/parts.hpp"

#include <certcast/errors.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <utility>

namespace kubernetes {

namespace json = boost::json;
using json_parts::number_in;
using json_parts::part_of;
using json_parts::parts_of;
using json_parts::text_in;
using std::chrono::milliseconds;

namespace {

// Between two looks: longer as long as nothing happens.
constexpr milliseconds shortest_wait{1'000};
constexpr milliseconds longest_wait{5'000};

/// UTC with milliseconds: a second restart within a second would be none.
std::string now_text() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto fraction = std::chrono::duration_cast<milliseconds>(now.time_since_epoch()) % 1'000;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    const std::size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &parts);
    std::string digits = std::to_string(fraction.count());
    digits.insert(0, 3 - digits.size(), '0');
    return std::string(text, size) + digits + "Z";
}

/// How many pods there are to be, are new, and are available, and how many there are at all.
struct Pods {
    std::int64_t wanted = 0;
    std::int64_t updated = 0;
    std::int64_t available = 0;
    std::int64_t all = 0;
};

Pods pods_of(const ObjectName& workload, const json::object& now) {
    const json::object& spec = part_of(now, "spec");
    const json::object& status = part_of(now, "status");
    if (workload.kind == "daemonset") {
        const std::int64_t wanted = number_in(status, "desiredNumberScheduled");
        return {wanted, number_in(status, "updatedNumberScheduled"),
                number_in(status, "numberAvailable"), wanted};
    }
    const std::int64_t wanted = number_in(spec, "replicas", 1);
    if (workload.kind == "statefulset") {
        // Those below the partition stay as they are.
        const std::int64_t partition =
            number_in(part_of(part_of(spec, "updateStrategy"), "rollingUpdate"), "partition");
        return {wanted, number_in(status, "updatedReplicas") + std::min(partition, wanted),
                number_in(status, "readyReplicas"), wanted};
    }
    return {wanted, number_in(status, "updatedReplicas"), number_in(status, "availableReplicas"),
            number_in(status, "replicas")};
}

void expect_progress(const ObjectName& workload, const json::object& now) {
    for (const json::object* const condition : parts_of(part_of(now, "status"), "conditions")) {
        if (text_in(*condition, "type") != "Progressing") continue;
        if (text_in(*condition, "reason") != "ProgressDeadlineExceeded") continue;
        throw certcast::remote_error(workload.text() + " does not get its new pods: " +
                                     std::string(text_in(*condition, "message").value_or("")))
            .code("ProgressDeadlineExceeded");
    }
}

/// What is missing until its pods are the new ones; empty: nothing.
std::string missing_of(const ObjectName& workload, const json::object& now) {
    const std::int64_t seen = number_in(part_of(now, "status"), "observedGeneration");
    if (seen < number_in(part_of(now, "metadata"), "generation")) {
        return "its controller has not seen the change";
    }
    expect_progress(workload, now);
    const Pods pods = pods_of(workload, now);
    const auto of = [](std::int64_t some, std::int64_t all) {
        return std::to_string(some) + " of " + std::to_string(all) + " pods are ";
    };
    if (pods.updated < pods.wanted) return of(pods.updated, pods.wanted) + "new";
    if (pods.all > pods.updated) return of(pods.all - pods.updated, pods.all) + "old ones";
    if (pods.available < pods.wanted) return of(pods.available, pods.wanted) + "available";
    return {};
}

json::object get(const ObjectName& workload, Api& api, const certcast::Job& job) {
    if (auto found = api.get(workload, job)) return *std::move(found);
    throw certcast::config_error("restart: " + workload.text() + " is not there");
}

}  // namespace

std::optional<ObjectName> workload_named(std::string_view text, std::string name_space) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    const std::string kind(text.substr(0, slash));
    const std::string name(text.substr(slash + 1));
    const bool is_known = kind == "deployment" || kind == "statefulset" || kind == "daemonset";
    const bool is_name =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
    if (!is_known || name.empty() || !is_name) return std::nullopt;
    return ObjectName{kind, kind + "s", "apps", std::move(name_space), name};
}

void expect_can_restart(const ObjectName& workload, Api& api, const certcast::Job& job) {
    const json::object now = get(workload, api, job);
    const json::object& spec = part_of(now, "spec");
    const json::value* const paused = spec.if_contains("paused");
    if (paused != nullptr && paused->is_bool() && paused->get_bool()) {
        throw certcast::config_error("restart: " + workload.text() +
                                     " is paused, and would not start its pods anew");
    }
    const json::object& strategy = part_of(spec, "updateStrategy");
    if (number_in(part_of(strategy, "rollingUpdate"), "partition") >=
            number_in(spec, "replicas", 1) &&
        workload.kind == "statefulset") {
        throw certcast::config_error("restart: " + workload.text() +
                                     " starts none of its pods anew (partition)");
    }
    if (text_in(strategy, "type") == "OnDelete") {
        throw certcast::config_error("restart: " + workload.text() +
                                     " starts its pods anew only where they are deleted "
                                     "(updateStrategy OnDelete)");
    }
    api.expect_may("patch", workload, job);
}

bool restart(const ObjectName& workload, Api& api, const certcast::Job& job) {
    const json::object annotations{{"kubectl.kubernetes.io/restartedAt", now_text()}};
    return api.patch(
        workload, {{"spec", {{"template", {{"metadata", {{"annotations", annotations}}}}}}}}, job);
}

void await_rollout(const ObjectName& workload, Api& api, const certcast::Job& job) {
    std::string missing;
    for (milliseconds wait = shortest_wait;;) {
        std::string now;
        try {
            now = missing_of(workload, get(workload, api, job));
            if (now.empty()) return;
        } catch (const certcast::DeployerError& error) {
            if (!error.may_pass()) throw;
            now = error.what();
        }
        wait = now == missing ? std::min(2 * wait, longest_wait) : shortest_wait;
        missing = std::move(now);
        try {
            job.wait(wait, workload.text() + ": " + missing);
        } catch (const certcast::timeout_error&) {
            throw certcast::timeout_error(workload.text() +
                                          " was not rolled out in time: " + missing);
        }
    }
}

}  // namespace kubernetes
