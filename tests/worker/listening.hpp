#pragma once

#include "core/worker/session.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace certcast::testing {

/// Takes what a plugin says and grants nothing.
class Listening : public HostCalls {
public:
    template <typename T>
    using Awaitable = boost::asio::awaitable<Result<T>>;

    void log(LogLine line) override { lines.push_back(std::move(line.message)); }
    void progress(std::uint32_t, std::string) override {}
    Awaitable<Secret> secret(std::string, bool) override { co_return refused(); }
    Awaitable<Secret> material(MaterialQuery) override { co_return refused(); }
    void denied(std::string what) override { lines.push_back(std::move(what)); }
    Result<void> live(Live) override { return {}; }
    Awaitable<void> step(std::string, Secret) override { co_return refused(); }
    Awaitable<void> step_undone(std::uint64_t) override { co_return refused(); }
    Awaitable<void> set_state(Secret) override { co_return refused(); }
    Awaitable<void> wait(Duration, std::string) override { co_return refused(); }
    Awaitable<CommandResult> run_command(
        std::string, std::vector<std::pair<std::string, std::string>>) override {
        co_return refused();
    }
    Awaitable<CommandResult> request_reload(std::string, std::string) override {
        co_return refused();
    }
    Result<void> diagnose(Finding) override { return {}; }
    Result<void> set_changed(std::uint64_t, bool) override { return {}; }
    void output(std::string name, std::string value) override {
        if (fails) throw std::runtime_error("a mistake");
        outputs[std::move(name)] = std::stol(value);
    }
    Awaitable<Secret> find(std::string, Secret, Duration) override { co_return refused(); }
    void keep(std::string, Secret, Duration) override {}

    bool fails = false;  ///< as nothing in the host should
    std::map<std::string, long> outputs;
    std::vector<std::string> lines;

protected:
    static Error refused() { return {ErrorCode::denied, "not here", {}}; }
};

}  // namespace certcast::testing
