#pragma once

#include "core/scheduler/staged_attempt.hpp"
#include "tests/unit/scheduler_fakes.hpp"

#include <certcast/plugin.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace certcast {

/// Sessions that run scripts in the place of processes, and a diary of what they were asked for:
/// "start nginx", "nginx deploy", "nginx rollback recovering", "finish nginx".
class FakeSessions : public SessionFactory {
public:
    using Script =
        std::function<asio::awaitable<Outcome>(HostCalls& calls, const StageRequest& request)>;

    /// By "PLUGIN STAGE", with " recovering" behind it if only for that. None: success.
    std::map<std::string, Script> scripts;
    std::map<std::string, Outcome> ends_with;  ///< what finish answers, by plugin
    std::vector<std::string> diary;
    std::vector<Value> probe_configs;
    std::vector<Duration> timeouts;
    std::map<std::string, std::string> states;  ///< what sessions were started with
    bool refuses_to_start = false;
    bool takes_more_jobs = true;

    void on(const std::string& what, std::function<void(HostCalls&)> calls,
            Outcome outcome = Outcome::success(Stage::deploy)) {
        scripts[what] = [calls, outcome](HostCalls& host,
                                         const StageRequest&) -> asio::awaitable<Outcome> {
            calls(host);
            co_return outcome;
        };
    }

    std::size_t count(const std::string& entry) const {
        return static_cast<std::size_t>(std::count(diary.begin(), diary.end(), entry));
    }

    asio::awaitable<Result<std::unique_ptr<Session>>> start(SessionRequest request,
                                                            HostCalls& calls) override;

private:
    class FakeSession;
};

class FakeSessions::FakeSession : public Session {
public:
    FakeSession(FakeSessions& factory, std::string plugin, HostCalls& calls)
        : factory_(factory), plugin_(std::move(plugin)), calls_(&calls) {}

    asio::awaitable<Outcome> run(StageRequest request) override {
        const bool recovering = (request.flags & CERTCAST_JOB_RECOVERING) != 0;
        const std::string what = plugin_ + " " + std::string(name_of(request.stage));
        const std::string entry = what + (recovering ? " recovering" : "");
        factory_.diary.push_back(entry);
        factory_.timeouts.push_back(request.timeout);
        auto script = factory_.scripts.find(entry);
        if (script == factory_.scripts.end()) script = factory_.scripts.find(what);
        Outcome outcome = Outcome::success(request.stage);
        if (script != factory_.scripts.end()) {
            outcome = co_await script->second(*calls_, request);
            outcome.stage = request.stage;
        }
        alive_ = outcome.succeeded() || outcome.ended == Ended::failed;
        co_return outcome;
    }
    bool alive() const override { return alive_; }
    bool take(const SessionRequest& request, HostCalls& calls) override {
        if (!factory_.takes_more_jobs || request.descriptor->id != plugin_) return false;
        factory_.diary.push_back("another job for " + plugin_);
        calls_ = &calls;
        return true;
    }
    asio::awaitable<Outcome> finish(Duration) override {
        factory_.diary.push_back("finish " + plugin_);
        alive_ = false;
        const auto found = factory_.ends_with.find(plugin_);
        co_return found == factory_.ends_with.end() ? Outcome::success(Stage::close)
                                                    : found->second;
    }

private:
    FakeSessions& factory_;
    std::string plugin_;
    HostCalls* calls_;
    bool alive_ = true;
};

inline asio::awaitable<Result<std::unique_ptr<Session>>> FakeSessions::start(SessionRequest request,
                                                                             HostCalls& calls) {
    const std::string plugin = request.descriptor->id;
    diary.push_back("start " + plugin);
    if (refuses_to_start) co_return Error{ErrorCode::io, "no process to be had", {}};
    if (plugin == "probe") probe_configs.push_back(request.config);
    states[plugin] = std::string(request.state.text()) + "/" + request.state_version;
    std::unique_ptr<Session> session = std::make_unique<FakeSession>(*this, plugin, calls);
    co_return session;
}

/// What one run shares, on fakes, with one deployment of a plugin "nginx" that has every stage.
struct AttemptBench {
    AttemptBench() : commands(loop.clock()), runner_slot{*this} {
        nginx.id = "nginx";
        nginx.version = "1.2";
        nginx.stages = 0xff;
        probe.id = "probe";
        deployment.name = "edge";
        deployment.plugin = "nginx";
        deployment.descriptor = &nginx;
        deployment.certificates = {"shop"};
        deployment.timeouts.fill(Duration(10'000));
        deployment.config.type = ParameterType::object;
    }

    void add_probe(std::uint64_t certificate = 0) {
        ProbeCheck& check = deployment.probes.emplace_back();
        check.address = "127.0.0.1:443";
        check.server_name = "shop.example";
        check.certificate = certificate;
    }
    void without(Stage stage) { nginx.stages &= ~(1u << static_cast<unsigned int>(stage)); }

    asio::awaitable<AttemptResult> begin(std::uint32_t number = 1) {
        return attempts.run(deployment, number, runner_slot);
    }
    AttemptResult attempt(std::uint32_t number = 1) { return loop.run(begin(number)); }
    AttemptResult conclude(bool keep) {
        return loop.run(attempts.conclude(deployment, 1, runner_slot, keep));
    }

    /// Notes what a waiting attempt does with its slot.
    struct NotedSlot : Slot {
        explicit NotedSlot(AttemptBench& bench) : of(bench) {}
        void lend() override {
            of.sessions.diary.emplace_back("slot given back");
            held = false;
        }
        asio::awaitable<bool> take_again() override {
            if (!held) of.sessions.diary.emplace_back("slot taken again");
            held = true;
            co_return true;
        }
        AttemptBench& of;
        bool held = true;
    };

    const std::vector<Step>& steps() const { return memory.steps(memory_key(deployment)); }

    Loop loop;
    FakeCommands commands;
    FakeSessions sessions;
    Pipeline pipeline;
    Redactor redactor;
    SecretStore secrets{loop.executor(), pipeline, commands, redactor};
    CertificateStore certificates;
    ReloadGathering reloads{loop.executor(), commands, loop.clock()};
    SharedAnswers answers{loop.executor(), loop.clock()};
    DeploymentMemory memory;
    Listener listener;
    Descriptor nginx;
    Descriptor probe;
    Deployment deployment;
    NotedSlot runner_slot;
    AttemptServices services{.sessions = sessions,
                             .commands = commands,
                             .certificates = certificates,
                             .secrets = secrets,
                             .reloads = reloads,
                             .answers = answers,
                             .memory = memory,
                             .clock = loop.clock(),
                             .observer = listener,
                             .probe = &probe};
    StagedAttempts attempts{services};
};

inline std::vector<std::byte> bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

inline Live seen(bool as_wanted, std::string_view sha256, std::uint64_t certificate = 0) {
    Live live;
    live.certificate = certificate;
    live.presence = CERTCAST_PRESENT;
    live.evidence_kind = CERTCAST_EVIDENCE_SHA256;
    live.evidence = bytes_of(sha256);
    live.as_wanted = as_wanted;
    return live;
}

inline Outcome failing(Stage stage, std::string message) {
    return Outcome::of(Ended::failed, stage, Category::remote, std::move(message));
}

inline Outcome ending(Ended how) {
    return Outcome::of(how, Stage::deploy, Category::internal, "");
}

}  // namespace certcast
