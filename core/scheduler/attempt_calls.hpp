#pragma once

#include "core/scheduler/attempt_runner.hpp"
#include "core/scheduler/attempt_services.hpp"
#include "core/worker/frame.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace certcast {

/// What the stages of one attempt have told the host.
struct AttemptFacts {
    std::vector<Live> inspected;  ///< what was there before
    std::vector<Live> verified;
    std::map<std::uint64_t, bool> changed;  ///< by certificate
    std::vector<Finding> findings;
    std::vector<std::pair<std::string, std::string>> outputs;
    std::vector<std::string> warnings;  ///< what a sandbox or the journal refused, for the report
};

/// Answers a worker's calls: knows what each stage may do and what each deployment may ask for. The
/// worker is not trusted; a call that breaks a rule gets an error and changes nothing.
class AttemptCalls : public HostCalls {
public:
    enum class Role { deployer, probe };

    /// Everything referred to outlives it. `descriptor` is that of the deployer or of the probe.
    AttemptCalls(AttemptServices& services, const Deployment& deployment,
                 const Descriptor& descriptor, Role role, std::uint32_t attempt, Slot* slot);

    /// To be called before each stage: calls are judged by the stage that makes them.
    void begin(Stage stage, Clock::time_point deadline);
    /// To be called after each: nobody waits any more for what it was to find out.
    void end() { answers_.give_up(); }
    AttemptFacts& facts() { return facts_; }
    const AttemptFacts& facts() const { return facts_; }
    /// There were more outputs than are kept.
    bool lost_outputs() const { return lost_outputs_; }
    bool reload_failed() const { return reloads_.has_failed(); }
    /// A reload that failed for several. nullptr: none did.
    const std::shared_ptr<SharedFailure>& shared_failure() const {
        return reloads_.failed_with_others();
    }

    void log(LogLine line) override;
    void progress(std::uint32_t permille, std::string what) override;
    void denied(std::string what) override;
    boost::asio::awaitable<Result<Secret>> secret(std::string name, bool refresh) override;
    boost::asio::awaitable<Result<Secret>> material(MaterialQuery query) override;
    Result<void> live(Live live) override;
    boost::asio::awaitable<Result<void>> step(std::string label, Secret undo) override;
    boost::asio::awaitable<Result<void>> step_undone(std::uint64_t index) override;
    boost::asio::awaitable<Result<void>> set_state(Secret state) override;
    boost::asio::awaitable<Result<void>> wait(Duration duration, std::string why) override;
    boost::asio::awaitable<Result<CommandResult>> run_command(
        std::string param, std::vector<std::pair<std::string, std::string>> variables) override;
    boost::asio::awaitable<Result<CommandResult>> request_reload(std::string identity,
                                                                 std::string param) override;
    Result<void> diagnose(Finding finding) override;
    Result<void> set_changed(std::uint64_t certificate, bool yes) override;
    void output(std::string name, std::string value) override;
    boost::asio::awaitable<Result<Secret>> find(std::string name, Secret refused,
                                                Duration patience) override;
    void keep(std::string name, Secret answer, Duration lifetime) override;

private:
    Result<void> told(Result<void> written);
    bool may_tell_now(FrameType what) const;
    Result<Secret> former_material(const MaterialQuery& query) const;
    Result<Command> command_of(const std::string& param) const;
    void log_output(const std::string& param, const CommandResult& result);

    AttemptServices& services_;
    const Deployment& deployment_;
    const Descriptor& descriptor_;
    const std::string key_;  ///< in the memory
    Role role_;
    std::uint32_t attempt_;
    Slot* slot_;  ///< nullptr: it has none to give back
    ReloadGathering::Expectation reloads_;
    SharedAnswers::Asker answers_;
    Stage stage_ = Stage::validate;
    Clock::time_point deadline_;
    AttemptFacts facts_;
    std::size_t output_bytes_ = 0;
    bool lost_outputs_ = false;
};

}  // namespace certcast
