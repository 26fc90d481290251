#pragma once

#include "core/worker/frame.hpp"
#include "core/worker/session.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>

namespace certcast {

/// The job frame: what a worker is told before its first stage.
Secret encode_job(const SessionRequest& request, const std::string& work_folder);
/// `number` tells the stages of one session apart, for the cancel messages.
Secret encode_stage(const StageRequest& request, std::uint32_t number, std::int64_t deadline_ns);

/// What a worker's `fail` frame says. An error is a violation of the protocol.
Result<Failure> decode_failure(const Frame& frame);
Result<LogLine> decode_log(const Frame& frame);

/// Takes what a worker tells without waiting for an answer. nullopt: it is nothing of that kind. An
/// error is a violation of the protocol.
std::optional<Result<void>> take_told(const Frame& frame, HostCalls& calls);

/// The payload of a reply frame.
Secret encode_reply(const Result<Secret>& answer);

/// A worker's call, copied out of its frame.
struct Call {
    FrameType type{};
    std::uint32_t number = 0;
    Secret payload;
};

/// Reads a call, asks `calls`, and gives what to reply; an error is a violation of the protocol.
boost::asio::awaitable<Result<Secret>> answer_call(Call call, HostCalls& calls);

}  // namespace certcast
