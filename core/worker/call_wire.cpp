#include "core/worker/call_wire.hpp"

#include <certcast/plugin.h>

#include <algorithm>
#include <optional>

namespace certcast {

namespace asio = boost::asio;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// The worker program shortens texts to this; what comes longer, or more of, comes from a plugin
// that writes frames itself.
constexpr std::size_t longest_text = 16 * 1024;
constexpr std::uint32_t most_fields = 64;
constexpr std::uint64_t a_year = 366ULL * 24 * 3'600'000;

Error violation(std::string message) {
    return {ErrorCode::protocol, std::move(message), {}};
}

Fields read_fields(wire::Reader& in) {
    Fields fields;
    const std::uint32_t count = in.count(8, most_fields);
    for (std::uint32_t i = 0; i < count; ++i) {
        std::string name(in.text(longest_text));
        fields.emplace_back(std::move(name), in.text(longest_text));
    }
    return fields;
}

Duration read_duration(wire::Reader& in) {
    return Duration(static_cast<std::int64_t>(std::min(in.u64(), a_year)));
}

std::uint32_t status_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid:
            return CERTCAST_E_INVALID;
        case ErrorCode::not_found:
            return CERTCAST_E_NOT_FOUND;
        case ErrorCode::denied:
            return CERTCAST_E_DENIED;
        case ErrorCode::cancelled:
            return CERTCAST_E_CANCELLED;
        case ErrorCode::io:
        case ErrorCode::timeout:
        case ErrorCode::conflict:
        case ErrorCode::protocol:
        case ErrorCode::internal:
            return CERTCAST_E_HOST;
    }
    return CERTCAST_E_HOST;
}

Result<Secret> nothing_or_error(Result<void> result) {
    if (!result) return result.error();
    return Secret();
}

Result<Secret> command_reply(Result<CommandResult> result) {
    if (!result) return result.error();
    if (result->timed_out) {
        return Error{ErrorCode::timeout, "the command did not end in time and was killed", {}};
    }
    wire::Writer out;
    out.u32(static_cast<std::uint32_t>(result->status));
    out.u32(result->truncated ? 1 : 0);
    out.bytes(result->output.bytes());
    return out.take();
}

MaterialQuery read_query(wire::Reader& in) {
    MaterialQuery query;
    query.certificate = in.u64();
    query.kind = in.u32();
    query.generation = in.u32();
    query.pkcs12_profile = in.u32();
    query.password = Secret(in.text(longest_text));
    query.friendly_name = in.text(longest_text);
    return query;
}

Live read_live(wire::Reader& in) {
    Live live;
    live.certificate = in.u64();
    live.presence = in.u32();
    live.evidence_kind = in.u32();
    const auto evidence = in.bytes();
    live.evidence.assign(evidence.begin(), evidence.end());
    live.not_after = in.i64();
    live.as_wanted = in.u32() == 1;
    return live;
}

Finding read_finding(wire::Reader& in) {
    Finding finding;
    finding.severity = static_cast<LogLevel>(in.u32());
    finding.path = in.text(longest_text);
    finding.summary = in.text(longest_text);
    finding.detail = in.text(longest_text);
    return finding;
}

asio::awaitable<Result<Secret>> answer_to(FrameType type, wire::Reader& in, HostCalls& calls) {
    if (type == FrameType::secret) {
        std::string name(in.text(longest_text));
        const bool refresh = (in.u32() & CERTCAST_SECRET_REFRESH) != 0;
        if (in.finished()) co_return co_await calls.secret(std::move(name), refresh);
    } else if (type == FrameType::material) {
        MaterialQuery query = read_query(in);
        if (in.finished()) co_return co_await calls.material(std::move(query));
    } else if (type == FrameType::step) {
        std::string label(in.text(longest_text));
        Secret undo(in.bytes());
        if (in.finished()) {
            co_return nothing_or_error(co_await calls.step(std::move(label), std::move(undo)));
        }
    } else if (type == FrameType::step_undone) {
        const std::uint64_t index = in.u64();
        if (in.finished()) co_return nothing_or_error(co_await calls.step_undone(index));
    } else if (type == FrameType::set_state) {
        Secret state(in.bytes());
        if (in.finished()) co_return nothing_or_error(co_await calls.set_state(std::move(state)));
    } else if (type == FrameType::wait) {
        const Duration duration = read_duration(in);
        std::string why(in.text(longest_text));
        if (in.finished())
            co_return nothing_or_error(co_await calls.wait(duration, std::move(why)));
    } else if (type == FrameType::run_command) {
        std::string param(in.text(longest_text));
        Fields variables = read_fields(in);
        if (in.finished()) {
            co_return command_reply(
                co_await calls.run_command(std::move(param), std::move(variables)));
        }
    } else if (type == FrameType::request_reload) {
        std::string identity(in.text(longest_text));
        std::string param(in.text(longest_text));
        if (in.finished()) {
            co_return command_reply(
                co_await calls.request_reload(std::move(identity), std::move(param)));
        }
    } else if (type == FrameType::find) {
        std::string name(in.text(longest_text));
        Secret refused(in.bytes());
        const Duration patience = read_duration(in);
        if (in.finished()) {
            co_return co_await calls.find(std::move(name), std::move(refused), patience);
        }
    } else {
        co_return violation("it sent a frame of an unknown type");
    }
    co_return Secret();
}

}  // namespace

Secret encode_job(const SessionRequest& request, const std::string& work_folder) {
    wire::Writer out;
    out.text(request.descriptor->id);
    out.text(request.deployment);
    out.text(request.target);
    encode(request.target_values, out);
    out.u32(static_cast<std::uint32_t>(request.certificates.size()));
    for (const std::string& name : request.certificates) out.text(name);
    encode(request.config, out);
    out.u32(request.attempt);
    out.bytes(request.state.bytes());
    out.text(request.state_version);
    out.text(work_folder);
    return out.take();
}

Secret encode_stage(const StageRequest& request, std::uint32_t number, std::int64_t deadline_ns) {
    wire::Writer out;
    out.u32(number);
    out.u32(static_cast<std::uint32_t>(request.stage));
    out.u64(request.flags);
    out.i64(deadline_ns);
    const std::size_t count = request.steps == nullptr ? 0 : request.steps->size();
    out.u32(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) {
        const Step& step = (*request.steps)[i];
        out.text(step.label);
        out.bytes(step.undo.bytes());
        out.u32(step.attempt);
        out.u8(step.undone ? 1 : 0);
    }
    return out.take();
}

Result<Failure> decode_failure(const Frame& frame) {
    wire::Reader in(frame.payload);
    Failure failure;
    const std::uint32_t category = in.u32();
    const std::uint32_t retry = in.u32();
    const std::uint64_t retry_after = in.u64();
    failure.code = in.text(longest_text);
    failure.message = in.text(longest_text);
    if (!in.finished()) return violation("its failure frame is malformed");
    const bool known = category >= CERTCAST_CONFIG_ERROR && category <= CERTCAST_INTERNAL_ERROR;
    failure.category = known ? static_cast<Category>(category) : Category::internal;
    failure.retry = retry <= CERTCAST_RETRY_LATER ? static_cast<Retry>(retry) : Retry::by_category;
    constexpr std::uint64_t a_day = 24ULL * 3'600'000;
    if (retry_after != 0) {
        failure.retry_after = Duration(static_cast<std::int64_t>(std::min(retry_after, a_day)));
    }
    return failure;
}

Result<LogLine> decode_log(const Frame& frame) {
    wire::Reader in(frame.payload);
    LogLine line;
    const std::uint32_t level = in.u32();
    line.message = in.text(longest_text);
    line.fields = read_fields(in);
    if (!in.finished() || level > CERTCAST_ERROR) return violation("its log frame is malformed");
    line.level = static_cast<LogLevel>(level);
    return line;
}

std::optional<Result<void>> take_told(const Frame& frame, HostCalls& calls) {
    wire::Reader in(frame.payload);
    Result<void> taken;
    if (frame.type == FrameType::live) {
        Live live = read_live(in);
        if (in.finished()) taken = calls.live(std::move(live));
    } else if (frame.type == FrameType::diagnose) {
        Finding finding = read_finding(in);
        if (in.finished()) taken = calls.diagnose(std::move(finding));
    } else if (frame.type == FrameType::set_changed) {
        const std::uint64_t certificate = in.u64();
        const bool yes = in.u32() != 0;
        if (in.finished()) taken = calls.set_changed(certificate, yes);
    } else if (frame.type == FrameType::output) {
        std::string name(in.text(longest_text));
        std::string value(in.text(longest_text));
        if (in.finished()) calls.output(std::move(name), std::move(value));
    } else if (frame.type == FrameType::keep) {
        std::string name(in.text(longest_text));
        Secret answer(in.bytes());
        const Duration lifetime = read_duration(in);
        if (in.finished()) calls.keep(std::move(name), std::move(answer), lifetime);
    } else {
        return std::nullopt;
    }
    if (!in.finished()) return violation("something that it tells is malformed");
    return taken;
}

Secret encode_reply(const Result<Secret>& answer) {
    wire::Writer out;
    out.u32(answer ? std::uint32_t{CERTCAST_OK} : status_of(answer.error().code));
    out.text(answer ? std::string() : answer.error().text());
    out.bytes(answer ? answer->bytes() : std::span<const std::byte>());
    return out.take();
}

asio::awaitable<Result<Secret>> answer_call(Call call, HostCalls& calls) {
    wire::Reader in(call.payload.bytes());
    const Result<Secret> answer = co_await answer_to(call.type, in, calls);
    if (!answer && answer.error().code == ErrorCode::protocol) co_return answer.error();
    if (!in.finished()) co_return violation("one of its calls is malformed");
    co_return encode_reply(answer);
}

}  // namespace certcast
