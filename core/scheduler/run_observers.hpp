#pragma once

#include "core/scheduler/run_observer.hpp"

#include <vector>

namespace certcast {

/// Passes everything on to several observers, which outlive it, in their order.
class RunObservers : public RunObserver {
public:
    void add(RunObserver& observer) { all_.push_back(&observer); }

    void run_started(const Pipeline& pipeline, const RunReport& report) override {
        for (RunObserver* one : all_) one->run_started(pipeline, report);
    }
    void attempt_started(const Deployment& deployment, std::uint32_t attempt) override {
        for (RunObserver* one : all_) one->attempt_started(deployment, attempt);
    }
    void stage(const Deployment& deployment, std::uint32_t attempt,
               std::string_view stage) override {
        for (RunObserver* one : all_) one->stage(deployment, attempt, stage);
    }
    void log(const Deployment& deployment, const LogLine& line) override {
        for (RunObserver* one : all_) one->log(deployment, line);
    }
    void progress(const Deployment& deployment, std::uint32_t permille,
                  std::string_view what) override {
        for (RunObserver* one : all_) one->progress(deployment, permille, what);
    }
    void waiting(const Deployment& deployment, std::string_view why,
                 std::optional<Duration> how_long) override {
        for (RunObserver* one : all_) one->waiting(deployment, why, how_long);
    }
    void attempt_finished(const Deployment& deployment, std::uint32_t attempt,
                          const Outcome& outcome) override {
        for (RunObserver* one : all_) one->attempt_finished(deployment, attempt, outcome);
    }
    void deployment_finished(const DeploymentReport& report) override {
        for (RunObserver* one : all_) one->deployment_finished(report);
    }
    void run_finished(const RunReport& report) override {
        for (RunObserver* one : all_) one->run_finished(report);
    }

private:
    std::vector<RunObserver*> all_;
};

}  // namespace certcast
