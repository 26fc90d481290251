#include "core/scheduler/attempt_calls.hpp"

#include "core/worker/told.hpp"

#include <certcast/plugin.h>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace certcast {

namespace asio = boost::asio;

namespace {

constexpr std::size_t largest_step = 16 * 1024 * 1024;
constexpr std::size_t largest_steps = 60 * 1024 * 1024;  // of all, with labels
constexpr std::size_t overhead_of_steps = 1024 * 1024;
static_assert(largest_steps + overhead_of_steps <= longest_payload);
constexpr std::size_t largest_state = 1024 * 1024;
constexpr std::size_t most_facts = 1'000;  // steps, outputs, findings: of each
constexpr std::size_t most_output_bytes = 256 * 1024;
constexpr std::size_t most_output_lines = 200;

Error refused(ErrorCode code, std::string message) {
    return {code, std::move(message), {}};
}

Error wrong_stage(std::string_view call, Stage stage) {
    return refused(ErrorCode::invalid,
                   std::string(call) + " is not for the stage " + std::string(name_of(stage)));
}

bool holds_key(std::uint32_t kind) {
    return kind == CERTCAST_KEY_PEM || kind == CERTCAST_KEY_DER || kind == CERTCAST_PKCS12;
}

bool names_secret(const Value& config, const std::string& name) {
    if (config.type == ParameterType::secret && config.text == name) return true;
    return std::any_of(config.entries.begin(), config.entries.end(),
                       [&](const ValueEntry& entry) { return names_secret(entry.value, name); });
}

void collect_commands(const Value& config, std::vector<std::vector<std::string>>& commands) {
    if (config.type == ParameterType::command) {
        // Twice the same command is one that is asked for once.
        std::vector<std::string> argv = config.texts();
        const bool known = std::find(commands.begin(), commands.end(), argv) != commands.end();
        if (!known && !argv.empty()) commands.push_back(std::move(argv));
        return;
    }
    for (const auto& [name, value] : config.entries) collect_commands(value, commands);
}

std::vector<std::vector<std::string>> commands_of(const Deployment& deployment,
                                                  AttemptCalls::Role role) {
    std::vector<std::vector<std::string>> commands;
    if (role == AttemptCalls::Role::deployer) collect_commands(deployment.config, commands);
    return commands;
}

bool is_variable(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

}  // namespace

AttemptCalls::AttemptCalls(AttemptServices& services, const Deployment& deployment,
                           const Descriptor& descriptor, Role role, std::uint32_t attempt,
                           Slot* slot)
    : services_(services),
      deployment_(deployment),
      descriptor_(descriptor),
      key_(memory_key(deployment)),
      role_(role),
      attempt_(attempt),
      slot_(slot),
      reloads_(services.reloads, commands_of(deployment, role)),
      answers_(services.answers, role == Role::deployer ? deployment.account : "") {}

void AttemptCalls::begin(Stage stage, Clock::time_point deadline) {
    stage_ = stage;
    deadline_ = deadline;
    // What an earlier stage of that kind saw is not what this one sees.
    if (stage == Stage::inspect) facts_.inspected.clear();
    if (stage == Stage::verify) facts_.verified.clear();
}

void AttemptCalls::log(LogLine line) {
    services_.observer.log(deployment_, line);
}

void AttemptCalls::progress(std::uint32_t permille, std::string what) {
    services_.observer.progress(deployment_, std::min(permille, 1000u), what);
}

asio::awaitable<Result<Secret>> AttemptCalls::secret(std::string name, bool refresh) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (stage_ == Stage::validate) co_return wrong_stage("a secret", stage_);
    if (role_ == Role::probe || !names_secret(deployment_.config, name)) {
        co_return refused(ErrorCode::denied,
                          "no parameter of this deployment holds the secret \"" + name + "\"");
    }
    co_return co_await services_.secrets.resolve(std::move(name), refresh);
}

void AttemptCalls::denied(std::string what) {
    log({LogLevel::warning, what, {}, false});
    facts_.warnings.push_back(std::move(what));
}

asio::awaitable<Result<Secret>> AttemptCalls::material(MaterialQuery query) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (query.certificate >= deployment_.certificates.size()) {
        co_return refused(ErrorCode::invalid,
                          "the deployment has no certificate " + std::to_string(query.certificate));
    }
    if (query.generation == CERTCAST_FORMER) co_return former_material(query);
    if (query.generation != CERTCAST_CURRENT || query.pkcs12_profile > CERTCAST_PKCS12_LEGACY) {
        co_return refused(ErrorCode::invalid, "a material query holds a number that means nothing");
    }
    if (holds_key(query.kind)) {
        if (stage_ == Stage::validate) co_return wrong_stage("a private key", stage_);
        if (!descriptor_.needs_flag(CERTCAST_NEEDS_KEY)) {
            co_return refused(ErrorCode::denied,
                              "the plugin does not declare that it needs private keys");
        }
    }
    const std::string& name = deployment_.certificates[query.certificate];
    const CertificateBundle* bundle = services_.certificates.find(name);
    if (bundle == nullptr) {
        co_return refused(ErrorCode::not_found, "the certificate \"" + name + "\" was not loaded");
    }
    if (query.kind == CERTCAST_PKCS12) {
        co_return co_await services_.certificates.pkcs12(*bundle, std::move(query));
    }
    co_return bundle->material(query.kind);
}

Result<Secret> AttemptCalls::former_material(const MaterialQuery& query) const {
    // A rollback may belong to an attempt whose inspect ran long ago.
    const std::vector<Live>& remembered = services_.memory.former(key_);
    const bool own = remembered.empty() && role_ == Role::deployer;
    const std::vector<Live>& former = own ? facts_.inspected : remembered;
    const auto found = std::find_if(former.begin(), former.end(), [&](const Live& live) {
        return live.certificate == query.certificate && live.presence == CERTCAST_PRESENT;
    });
    if (found != former.end()) {
        if (found->evidence_kind == CERTCAST_EVIDENCE_DER) {
            return material_of_der(found->evidence, query.kind);
        }
        if (found->evidence_kind == CERTCAST_EVIDENCE_SHA256 && query.kind == CERTCAST_SHA256) {
            return Secret(found->evidence);
        }
    }
    return refused(ErrorCode::not_found, "this is not known of the former certificate");
}

bool AttemptCalls::may_tell_now(FrameType what) const {
    return may_tell(what, static_cast<std::uint32_t>(stage_));
}

Result<void> AttemptCalls::live(Live live) {
    if (!may_tell_now(FrameType::live)) {
        return wrong_stage("live", stage_);
    }
    if (!is_possible(live, live.evidence.size(), deployment_.certificates.size())) {
        return refused(ErrorCode::invalid, "live was told something impossible");
    }
    std::vector<Live>* const known =
        stage_ == Stage::inspect ? &facts_.inspected : &facts_.verified;
    const auto earlier = std::find_if(known->begin(), known->end(), [&](const Live& one) {
        return one.certificate == live.certificate;
    });
    if (earlier == known->end()) {
        known->push_back(std::move(live));
    } else {
        // Seen in several places, a certificate is as wanted only if it is so in all of them.
        if (stage_ == Stage::inspect) live.as_wanted = live.as_wanted && earlier->as_wanted;
        *earlier = std::move(live);
    }
    return {};
}

/// The plugin hears of it too, but need not say so.
Result<void> AttemptCalls::told(Result<void> written) {
    if (written) return written;
    const std::string what = "not recorded, so not gone on with: " + written.error().text();
    log({LogLevel::error, what, {}, false});
    facts_.warnings.push_back(what);
    return written;
}

asio::awaitable<Result<void>> AttemptCalls::step(std::string label, Secret undo) {
    if (role_ == Role::probe || (stage_ != Stage::deploy && stage_ != Stage::settle)) {
        co_return wrong_stage("step", stage_);
    }
    const std::vector<Step>& earlier = services_.memory.steps(key_);
    std::size_t all = undo.size() + label.size();
    for (const Step& step : earlier) all += step.undo.size() + step.label.size();
    if (undo.size() > largest_step || all > largest_steps || earlier.size() >= most_facts) {
        co_return refused(ErrorCode::invalid,
                          "a step holds at most 16 MiB, and 1,000 of them at most 60 MiB");
    }
    Step step{.label = std::move(label), .undo = std::move(undo), .attempt = attempt_};
    Result<void> added =
        co_await services_.memory.add_step(deployment_, facts_.inspected, std::move(step));
    co_return told(std::move(added));
}

asio::awaitable<Result<void>> AttemptCalls::step_undone(std::uint64_t index) {
    if (role_ == Role::probe || stage_ != Stage::rollback) {
        co_return wrong_stage("step_undone", stage_);
    }
    if (index >= services_.memory.steps(key_).size()) {
        co_return refused(ErrorCode::invalid, "there is no step " + std::to_string(index));
    }
    Result<void> marked = co_await services_.memory.mark_undone(key_, index);
    co_return told(std::move(marked));
}

asio::awaitable<Result<void>> AttemptCalls::set_state(Secret state) {
    if (role_ == Role::probe || stage_ == Stage::validate) {
        co_return wrong_stage("set_state", stage_);
    }
    if (state.size() > largest_state) {
        co_return refused(ErrorCode::invalid, "the state of a plugin holds at most 1 MiB");
    }
    if (services_.dry_run) co_return Result<void>();  // what it finds out it finds out again
    PluginState stored{.bytes = std::move(state), .version = descriptor_.version};
    Result<void> set = co_await services_.memory.set_state(key_, std::move(stored));
    co_return told(std::move(set));
}

asio::awaitable<Result<void>> AttemptCalls::wait(Duration duration, std::string why) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (slot_ == nullptr || duration.count() < 0) co_return wrong_stage("wait", stage_);
    services_.observer.waiting(deployment_, why, duration);
    slot_->lend();
    // At the end of the grace the stage is over, so nothing longer has to fit into the clock.
    const Clock::time_point now = services_.clock.now();
    const auto left = std::chrono::ceil<Duration>(deadline_ + deployment_.grace - now);
    bool elapsed = co_await services_.clock.sleep_until(now + std::min(duration, left));
    if (elapsed) elapsed = co_await slot_->take_again();
    if (!elapsed) co_return refused(ErrorCode::cancelled, "the attempt is being stopped");
    co_return Result<void>();
}

Result<Command> AttemptCalls::command_of(const std::string& param) const {
    if (stage_ == Stage::validate || role_ == Role::probe) return wrong_stage("a command", stage_);
    if (services_.dry_run) return refused(ErrorCode::denied, "a dry run runs no command");
    const Value* value = deployment_.config.find(param);
    if (value == nullptr || value->type != ParameterType::command || value->entries.empty()) {
        return refused(ErrorCode::not_found, "the pipeline gives no command under config." + param);
    }
    const auto left = std::chrono::duration_cast<Duration>(deadline_ - services_.clock.now());
    if (left.count() <= 0) return refused(ErrorCode::cancelled, "the time of the stage is over");
    Command command;
    command.argv = value->texts();
    command.timeout = left;
    return command;
}

asio::awaitable<Result<CommandResult>> AttemptCalls::run_command(
    std::string param, std::vector<std::pair<std::string, std::string>> variables) {
    co_await asio::this_coro::throw_if_cancelled(false);
    Result<Command> command = command_of(param);
    if (command.has_error()) co_return command.error();
    command->environment = {{"CERTCAST_DEPLOYMENT", deployment_.name},
                            {"CERTCAST_TARGET", deployment_.target}};
    for (auto& [name, value] : variables) {
        const bool taken = name == "DEPLOYMENT" || name == "TARGET";
        if (taken || !is_variable(name) || value.find('\0') != std::string::npos) {
            co_return refused(ErrorCode::invalid, "a command cannot be given the variable \"" +
                                                      name + "\": names are of A-Z, 0-9 and _");
        }
        command->environment.emplace_back("CERTCAST_" + name, std::move(value));
    }
    Command to_run = std::move(*command);
    Result<CommandResult> result = co_await services_.commands.run(std::move(to_run));
    if (result.has_value()) log_output(param, *result);
    co_return result;
}

asio::awaitable<Result<CommandResult>> AttemptCalls::request_reload(std::string identity,
                                                                    std::string param) {
    co_await asio::this_coro::throw_if_cancelled(false);
    Result<Command> command = command_of(param);
    if (command.has_error()) co_return command.error();
    Command to_run = std::move(*command);
    Result<CommandResult> result = co_await services_.reloads.ask(
        std::move(to_run), std::move(identity), reloads_,
        stage_ == Stage::rollback ? ReloadGathering::Direction::back
                                  : ReloadGathering::Direction::forward);
    if (result.has_value()) log_output(param, *result);
    co_return result;
}

void AttemptCalls::log_output(const std::string& param, const CommandResult& result) {
    std::string_view rest = result.output.text();
    for (std::size_t lines = 0; !rest.empty() && lines < most_output_lines; ++lines) {
        const std::size_t end = rest.find('\n');
        LogLine line{.level = LogLevel::debug,
                     .message = std::string(rest.substr(0, end)),
                     .fields = {{"command", param}},
                     .from_output = true};
        services_.observer.log(deployment_, line);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
}

Result<void> AttemptCalls::diagnose(Finding finding) {
    if (!may_tell_now(FrameType::diagnose)) {
        return wrong_stage("diagnose", stage_);
    }
    if (facts_.findings.size() < most_facts) facts_.findings.push_back(std::move(finding));
    return {};
}

Result<void> AttemptCalls::set_changed(std::uint64_t certificate, bool yes) {
    if (certificate >= deployment_.certificates.size()) {
        return refused(ErrorCode::invalid,
                       "the deployment has no certificate " + std::to_string(certificate));
    }
    if (!may_tell_now(FrameType::set_changed)) {
        return wrong_stage("set_changed", stage_);
    }
    facts_.changed[certificate] = yes;
    return {};
}

void AttemptCalls::output(std::string name, std::string value) {
    // They are kept until the run has ended.
    output_bytes_ += name.size() + value.size();
    if (facts_.outputs.size() < most_facts && output_bytes_ <= most_output_bytes) {
        facts_.outputs.emplace_back(std::move(name), std::move(value));
    } else if (!lost_outputs_) {
        lost_outputs_ = true;
        log({LogLevel::warning, "it has too many outputs: no more are kept", {}, false});
    }
}

asio::awaitable<Result<Secret>> AttemptCalls::find(std::string name, Secret refused,
                                                   Duration patience) {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (stage_ == Stage::validate) co_return wrong_stage("find", stage_);
    co_return co_await answers_.find(std::move(name), std::move(refused), patience);
}

void AttemptCalls::keep(std::string name, Secret answer, Duration lifetime) {
    if (stage_ != Stage::validate) answers_.keep(name, std::move(answer), lifetime);
}

}  // namespace certcast
