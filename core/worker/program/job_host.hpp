#pragma once

#include <certcast/plugin.h>
#include <certcast/session.h>

#include "core/worker/program/connection.hpp"
#include "core/worker/told.hpp"
#include "core/worker/worker_wire.hpp"

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

namespace certcast::program {

/// The host functions that a plugin calls: each becomes a frame, and for most of them a wait for
/// the answer. Answers live until the stage ends.
class JobHost {
public:
    explicit JobHost(Connection& connection);
    JobHost(const JobHost&) = delete;
    JobHost& operator=(const JobHost&) = delete;
    ~JobHost() = default;

    const certcast_host* table() const { return &table_; }
    /// `number` tells the stages of this process apart. `job` is that of the stage.
    void begin_stage(std::uint32_t number, std::int64_t deadline_ns, const certcast_job& job);
    /// Wipes and drops what was answered during the stage.
    void end_stage();

private:
    struct Answer {
        std::uint32_t status = CERTCAST_E_HOST;
        certcast_bytes payload{};
    };
    Answer call(FrameType type, std::span<const std::byte> payload);
    Answer call(FrameType type, const wire::Writer& out) { return call(type, out.data()); }
    std::int32_t tell(FrameType type, const wire::Writer& out);
    std::int32_t refuse(std::uint32_t status, std::string why);
    bool may_tell_now(FrameType what) const { return may_tell(what, job_->stage); }
    std::int32_t command_answer(const Answer& answer, certcast_command_result* out);

    static JobHost& self(const certcast_host* host);
    static bool peek_cancel(CancelMessage& message);
    static const certcast_session session;
    void fill_table();

    Connection& connection_;
    certcast_host table_{};
    std::uint32_t next_call_ = 1;
    std::uint32_t stage_ = 0;
    const certcast_job* job_ = nullptr;
    std::int64_t deadline_ns_ = 0;
    std::string last_error_;
    std::deque<Frame> answers_;
    std::deque<Secret> copies_;
};

}  // namespace certcast::program
