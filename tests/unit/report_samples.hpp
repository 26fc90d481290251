#pragma once

#include "core/scheduler/run_report.hpp"

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace certcast::testing {

inline const std::string leaf(64, 'a');
inline const std::string former(64, 'b');
constexpr std::int64_t finished_at = 1'795'427'104;  // 2026-11-23T09:45:04Z
constexpr std::int64_t day = 86'400;

inline DeploymentReport deployment(std::string name, Status status) {
    DeploymentReport report;
    report.name = std::move(name);
    report.plugin = "nginx";
    report.certificates = {"shop"};
    report.status = status;
    report.attempts = 1;
    report.duration = Duration(1200);
    return report;
}

inline DeploymentReport proven(std::string name) {
    DeploymentReport report = deployment(std::move(name), Status::changed);
    report.proof = Proof::probe;
    report.serving = {{leaf, finished_at + 90 * day, "probe"}};
    return report;
}

inline DeploymentReport failing(std::string name) {
    DeploymentReport report = deployment(std::move(name), Status::failed);
    report.reason = "failed";
    report.attempts = 2;
    report.error = Outcome::of(Ended::failed, Stage::deploy, Category::config,
                               "nginx -t failed with status 1\n"
                               "nginx: [emerg] no \"ssl_certificate\" is defined\n"
                               "nginx: configuration file test failed\n");
    report.rollback = RollbackState::done;
    report.serving = {{former, finished_at + 7 * day, "probe"}};
    return report;
}

inline RunReport run_of(std::vector<DeploymentReport> deployments) {
    RunReport report;
    report.run = "20261123T094500Z-1a2b";
    report.pipeline = "prod";
    report.pipeline_file = "prod.toml";
    report.finished = std::chrono::system_clock::from_time_t(finished_at);
    report.started = report.finished - Duration(4200);
    report.deployments = std::move(deployments);
    return report;
}

inline Deployment planned(std::string name) {
    Deployment deployment;
    deployment.name = std::move(name);
    deployment.plugin = "nginx";
    return deployment;
}

inline std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

}  // namespace certcast::testing
