#pragma once

#include "core/base/error.hpp"
#include "core/base/limits.hpp"
#include "core/base/secret.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/value.hpp"
#include "core/worker/command.hpp"
#include "core/worker/grants.hpp"
#include "core/worker/outcome.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace certcast {

enum class LogLevel : std::uint32_t { debug = 0, info = 1, warning = 2, error = 3 };
std::string_view name_of(LogLevel level);

struct LogLine {
    LogLevel level = LogLevel::info;
    std::string message;
    std::vector<std::pair<std::string, std::string>> fields;
    bool from_output = false;  ///< the plugin's standard output or error
};

/// A certificate or a part of it that a plugin asks for; the mirror of certcast_material_query.
struct MaterialQuery {
    std::uint64_t certificate = 0;
    std::uint32_t kind = 0;        ///< CERTCAST_LEAF_PEM and the like
    std::uint32_t generation = 0;  ///< CERTCAST_CURRENT or CERTCAST_FORMER
    std::uint32_t pkcs12_profile = 0;
    Secret password;
    std::string friendly_name;
};

/// What inspect or a probe found in the place of one certificate; the mirror of certcast_live.
struct Live {
    std::uint64_t certificate = 0;
    std::uint32_t presence = 0;       ///< CERTCAST_PRESENT and the like
    std::uint32_t evidence_kind = 0;  ///< CERTCAST_EVIDENCE_DER and the like
    std::vector<std::byte> evidence;
    std::int64_t not_after = 0;
    bool as_wanted = false;
};

/// What undoing one change takes. Belongs to the deployment, not to the attempt.
struct Step {
    std::string label;
    Secret undo;
    std::uint32_t attempt = 1;
    bool undone = false;
};

/// A finding of validate or inspect about the configuration.
struct Finding {
    LogLevel severity = LogLevel::error;
    std::string path;
    std::string summary;
    std::string detail;
};

/// What a worker asks of the host while a stage runs. One call at a time per session. The
/// asynchronous ones end early when they are cancelled; what they answer then reaches nobody.
class HostCalls {
public:
    virtual ~HostCalls() = default;

    virtual void log(LogLine line) = 0;
    virtual void progress(std::uint32_t permille, std::string what) = 0;
    /// Its sandbox refused something, each thing once.
    virtual void denied(std::string what) = 0;
    virtual boost::asio::awaitable<Result<Secret>> secret(std::string name, bool refresh) = 0;
    virtual boost::asio::awaitable<Result<Secret>> material(MaterialQuery query) = 0;
    virtual Result<void> live(Live live) = 0;
    virtual boost::asio::awaitable<Result<void>> step(std::string label, Secret undo) = 0;
    virtual boost::asio::awaitable<Result<void>> step_undone(std::uint64_t index) = 0;
    virtual boost::asio::awaitable<Result<void>> set_state(Secret state) = 0;
    /// Gives the slot back meanwhile. An error with ErrorCode::cancelled when woken early.
    virtual boost::asio::awaitable<Result<void>> wait(Duration duration, std::string why) = 0;
    virtual boost::asio::awaitable<Result<CommandResult>> run_command(
        std::string param, std::vector<std::pair<std::string, std::string>> variables) = 0;
    virtual boost::asio::awaitable<Result<CommandResult>> request_reload(std::string identity,
                                                                         std::string param) = 0;
    virtual Result<void> diagnose(Finding finding) = 0;
    virtual Result<void> set_changed(std::uint64_t certificate, bool yes) = 0;
    virtual void output(std::string name, std::string value) = 0;
    /// certcast.session/1. ErrorCode::not_found: it is for the caller to find out and to keep.
    virtual boost::asio::awaitable<Result<Secret>> find(std::string name, Secret refused,
                                                        Duration patience) = 0;
    virtual void keep(std::string name, Secret answer, Duration lifetime) = 0;
};

/// How much of what a deployment is granted its session gets.
enum class Reach {
    all,
    looking,    ///< nothing is written: it may read what it could write
    validating  ///< no network, no programs and the like either
};

/// What stays the same for all stages of one session.
struct SessionRequest {
    const Library* library = nullptr;        ///< outlives the session
    const Descriptor* descriptor = nullptr;  ///< outlives the session
    std::string deployment;
    std::string target;
    Value target_values;
    std::vector<std::string> certificates;
    Value config;
    std::uint32_t attempt = 1;
    Secret state;
    std::string state_version;
    Sandbox sandbox = Sandbox::on;
    Limits limits;
    Reach reach = Reach::all;
};

/// One stage to run. The deadline counts from the call.
struct StageRequest {
    Stage stage = Stage::deploy;
    std::uint64_t flags = 0;  ///< CERTCAST_JOB_RECOVERING and the like
    Duration timeout{60'000};
    Duration grace{5'000};
    const std::vector<Step>* steps = nullptr;  ///< nullptr: none
};

/// One worker process that runs stages of one job, one after the other. Destroying a session that
/// did not finish kills its process tree.
class Session {
public:
    virtual ~Session() = default;

    /// Runs one stage to its end, asks it to stop at the deadline or when the calling coroutine is
    /// cancelled, and kills it after the grace. Never throws; whatever happens is the Outcome.
    virtual boost::asio::awaitable<Outcome> run(StageRequest request) = 0;

    /// The process lives and can run another stage.
    virtual bool alive() const = 0;

    /// Gives the process another job after Stage::close was run, where that job needs the same of
    /// it: its library, its rights, its limits. `calls` takes the place of the former ones. False:
    /// it does not, or the process is gone, and nothing has happened.
    virtual bool take(const SessionRequest& request, HostCalls& calls) = 0;

    /// Closes the deployer and waits for the result frame and exit status 0, or says what came
    /// instead.
    virtual boost::asio::awaitable<Outcome> finish(Duration timeout) = 0;
};

/// Starts sessions. The seam between the rules on stages and the processes that run them.
class SessionFactory {
public:
    virtual ~SessionFactory() = default;
    /// `calls` outlives the session, or its part of it where it takes another job.
    virtual boost::asio::awaitable<Result<std::unique_ptr<Session>>> start(SessionRequest request,
                                                                           HostCalls& calls) = 0;
};

}  // namespace certcast
