#include "core/pipeline/timing.hpp"

#include <algorithm>
#include <string>

namespace certcast {

namespace {

constexpr std::uint32_t most_attempts = 1000;
constexpr Stage stages[] = {Stage::validate, Stage::discover, Stage::inspect,  Stage::deploy,
                            Stage::verify,   Stage::settle,   Stage::rollback, Stage::close};

Duration host_timeout(Stage stage) {
    switch (stage) {
        case Stage::validate:
            return Duration(10'000);
        case Stage::discover:
        case Stage::inspect:
        case Stage::verify:
        case Stage::settle:
            return Duration(30'000);
        case Stage::deploy:
        case Stage::rollback:
            return Duration(60'000);
        case Stage::close:
            return Duration(5'000);
    }
    return Duration(60'000);
}

std::size_t index_of(Stage stage) {
    return static_cast<std::size_t>(stage);
}

std::optional<Duration> timeout(TableReader& reader, const RawValue* written,
                                std::string_view key) {
    const auto found = reader.duration(key);
    if (found && found->count() == 0) {
        reader.error(written->location, key,
                     "expected more than nothing, found \"" + written->text + "\"");
    }
    return found;
}

void read_retry(const RawValue& table, const std::string& path, Timing& timing,
                Diagnostics& diagnostics) {
    TableReader reader(table, path, diagnostics);
    timing.attempts = reader.count("attempts", most_attempts);
    timing.backoff = reader.duration("backoff");
    timing.max_backoff = reader.duration("max_backoff");
    timing.budget = reader.duration("budget");
    reader.finish();
    const Duration backoff = timing.backoff.value_or(RetryPolicy{}.backoff);
    if (timing.max_backoff && backoff > *timing.max_backoff) {
        reader.error(table.find("max_backoff")->location, "max_backoff",
                     "is shorter than backoff, expected at least " + to_string(backoff));
    }
}

}  // namespace

Timing read_timing(TableReader& reader, Diagnostics& diagnostics) {
    Timing timing;
    const RawValue* of_deploy = reader.find("timeout");
    timing.timeouts[index_of(Stage::deploy)] = timeout(reader, of_deploy, "timeout");
    if (const RawValue* table = reader.table("timeouts")) {
        TableReader inner(*table, reader.path_of("timeouts"), diagnostics);
        for (const Stage stage : stages) {
            const RawValue* written = table->find(name_of(stage));
            const auto found = timeout(inner, written, name_of(stage));
            if (found) timing.timeouts[index_of(stage)] = found;
        }
        inner.finish();
        const RawValue* twice = table->find("deploy");
        if (twice != nullptr && of_deploy != nullptr) {
            inner.error(twice->location, "deploy",
                        "is the same as " + reader.path_of("timeout") + ": give one of them");
        }
    }
    timing.grace = reader.duration("grace");
    if (const RawValue* retry = reader.table("retry")) {
        read_retry(*retry, reader.path_of("retry"), timing, diagnostics);
    }
    return timing;
}

void apply_timing(const Timing& defaults, const Timing& entry, const Descriptor* descriptor,
                  Deployment& deployment) {
    for (std::size_t i = 0; i < stage_count; ++i) {
        Duration timeout = host_timeout(static_cast<Stage>(i));
        if (descriptor != nullptr && descriptor->stage_timeouts[i].count() != 0) {
            timeout = descriptor->stage_timeouts[i];
        }
        timeout = defaults.timeouts[i].value_or(timeout);
        deployment.timeouts[i] = entry.timeouts[i].value_or(timeout);
    }
    if (descriptor != nullptr && descriptor->grace.count() != 0) {
        deployment.grace = descriptor->grace;
    }
    deployment.grace = entry.grace.value_or(defaults.grace.value_or(deployment.grace));
    RetryPolicy& retry = deployment.retry;
    retry.attempts = entry.attempts.value_or(defaults.attempts.value_or(retry.attempts));
    retry.backoff = entry.backoff.value_or(defaults.backoff.value_or(retry.backoff));
    retry.max_backoff =
        entry.max_backoff.value_or(defaults.max_backoff.value_or(retry.max_backoff));
    retry.max_backoff = std::max(retry.max_backoff, retry.backoff);
    retry.budget = entry.budget.value_or(defaults.budget.value_or(retry.budget));
}

}  // namespace certcast
