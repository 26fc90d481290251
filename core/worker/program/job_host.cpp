#include "core/worker/program/job_host.hpp"

#include "core/base/secret.hpp"
#include "core/worker/program/abi.hpp"
#include "core/worker/worker_wire.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace certcast::program {

namespace {

constexpr std::uint64_t longest_text = 16 * 1024;
constexpr std::uint64_t longest_step = 16 * 1024 * 1024;
constexpr std::uint64_t longest_state = 1024 * 1024;
constexpr std::uint64_t most_fields = 64;
constexpr std::uint64_t longest_fields_of_log = 32 * 1024;

std::span<const std::byte> span_of(certcast_bytes bytes) {
    return {reinterpret_cast<const std::byte*>(bytes.data), bytes.data == nullptr ? 0 : bytes.size};
}

std::string_view shortened(certcast_str text) {
    return view(text).substr(0, longest_text);
}

/// Those that fit into `room` bytes.
void put_fields(wire::Writer& out, const certcast_field* fields, std::uint64_t most,
                std::uint64_t room) {
    std::uint64_t count = 0;
    most = fields == nullptr ? 0 : std::min(most, most_fields);
    for (; count < most; ++count) {
        const std::uint64_t size =
            shortened(fields[count].name).size() + shortened(fields[count].value).size();
        if (size > room) break;
        room -= size;
    }
    out.u32(static_cast<std::uint32_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        out.text(shortened(fields[i].name));
        out.text(shortened(fields[i].value));
    }
}

}  // namespace

JobHost::JobHost(Connection& connection) : connection_(connection) {
    fill_table();
}

JobHost& JobHost::self(const certcast_host* host) {
    return *static_cast<JobHost*>(host->context);
}

void JobHost::begin_stage(std::uint32_t number, std::int64_t deadline_ns, const certcast_job& job) {
    stage_ = number;
    job_ = &job;
    deadline_ns_ = deadline_ns;
    last_error_.clear();
    // What was said to an earlier stage must not stop this one.
    CancelMessage message{};
    while (peek_cancel(message) && message.stage != stage_) {
        recv(cancel_fd, &message, sizeof message, MSG_DONTWAIT);
    }
}

bool JobHost::peek_cancel(CancelMessage& message) {
    return recv(cancel_fd, &message, sizeof message, MSG_DONTWAIT | MSG_PEEK) == sizeof message;
}

void JobHost::end_stage() {
    answers_.clear();
    copies_.clear();
}

/// What may be told is looked at before, so there is no answer to wait for.
std::int32_t JobHost::tell(FrameType type, const wire::Writer& out) {
    connection_.send(type, 0, out.data());
    return CERTCAST_OK;
}

std::int32_t JobHost::refuse(std::uint32_t status, std::string why) {
    last_error_ = std::move(why);
    return static_cast<std::int32_t>(status);
}

JobHost::Answer JobHost::call(FrameType type, std::span<const std::byte> payload) {
    const std::uint32_t number = next_call_++;
    connection_.send(type, number, payload);
    Frame frame = connection_.receive();
    if (frame.type != FrameType::reply || frame.call != number) _exit(exit_protocol);
    wire::Reader in(frame.payload);
    Answer answer;
    answer.status = in.u32();
    last_error_ = in.text();
    const auto bytes = in.bytes();
    if (!in.finished()) _exit(exit_protocol);
    // The next frame is received into the same buffer, so a short answer is copied.
    std::span<const std::byte> kept = bytes;
    if (frame.large.empty()) {
        kept = copies_.emplace_back(bytes).bytes();
    } else {
        answers_.push_back(std::move(frame));
    }
    answer.payload = {reinterpret_cast<const std::uint8_t*>(kept.data()), kept.size()};
    return answer;
}

std::int32_t JobHost::command_answer(const Answer& answer, certcast_command_result* out) {
    if (answer.status != CERTCAST_OK) return static_cast<std::int32_t>(answer.status);
    wire::Reader in(span_of(answer.payload));
    certcast_command_result result{};
    result.status = static_cast<std::int32_t>(in.u32());
    result.truncated = in.u32();
    const auto output = in.bytes();
    result.output = {reinterpret_cast<const std::uint8_t*>(output.data()), output.size()};
    if (out != nullptr) {
        result.size = out->size;
        std::memcpy(out, &result, std::min<std::size_t>(out->size, sizeof result));
    }
    return CERTCAST_OK;
}

const certcast_session JobHost::session = {
    .size = sizeof session,
    .find = [](const certcast_host* host, certcast_str name, certcast_bytes refused,
               std::uint64_t patience_ms, certcast_bytes* answer) -> std::int32_t {
        if (answer == nullptr) return self(host).refuse(CERTCAST_E_INVALID, "find: NULL");
        wire::Writer out;
        out.text(shortened(name));
        out.bytes(span_of(refused.size <= largest_answer ? refused : certcast_bytes{}));
        out.u64(patience_ms);
        const Answer got = self(host).call(FrameType::find, out);
        *answer = got.payload;
        return static_cast<std::int32_t>(got.status);
    },
    .keep =
        [](const certcast_host* host, certcast_str name, certcast_bytes answer,
           std::uint64_t lifetime_ms) {
            // What is too large is not kept, but nobody waits for it any more.
            const bool fits = answer.size <= largest_answer;
            wire::Writer out;
            out.text(shortened(name));
            out.bytes(span_of(fits ? answer : certcast_bytes{}));
            out.u64(fits ? lifetime_ms : 0);
            self(host).tell(FrameType::keep, out);
        }};

void JobHost::fill_table() {
    table_.size = sizeof table_;
    table_.context = this;
    table_.log = [](const certcast_host* host, std::uint32_t level, certcast_str message,
                    const certcast_field* fields, std::uint64_t count) {
        wire::Writer out;
        out.u32(std::min<std::uint32_t>(level, CERTCAST_ERROR));
        out.text(shortened(message));
        put_fields(out, fields, count, longest_fields_of_log);
        self(host).connection_.send(FrameType::log, 0, out.data());
    };
    table_.progress = [](const certcast_host* host, std::uint32_t permille, certcast_str what) {
        wire::Writer out;
        out.u32(std::min<std::uint32_t>(permille, 1000));
        out.text(shortened(what));
        self(host).connection_.send(FrameType::progress, 0, out.data());
    };
    table_.cancelled = [](const certcast_host*) -> std::uint32_t {
        CancelMessage message{};
        return peek_cancel(message) ? message.reason : std::uint32_t{CERTCAST_CANCEL_NONE};
    };
    table_.cancel_fd = [](const certcast_host*) -> std::int32_t { return cancel_fd; };
    table_.deadline_ns = [](const certcast_host* host) { return self(host).deadline_ns_; };
    table_.secret = [](const certcast_host* host, certcast_str name, std::uint32_t flags,
                       certcast_bytes* answer) -> std::int32_t {
        wire::Writer out;
        out.text(shortened(name));
        out.u32(flags);
        const Answer got = self(host).call(FrameType::secret, out);
        if (answer != nullptr) *answer = got.payload;
        return static_cast<std::int32_t>(got.status);
    };
    table_.material = [](const certcast_host* host, const certcast_material_query* query,
                         certcast_bytes* answer) -> std::int32_t {
        if (query == nullptr || answer == nullptr) {
            return self(host).refuse(CERTCAST_E_INVALID, "material: a pointer is NULL");
        }
        const auto asked = covered(query);
        wire::Writer out;
        out.u64(asked.certificate);
        out.u32(asked.kind);
        out.u32(asked.generation);
        out.u32(asked.pkcs12_profile);
        out.text(shortened(asked.password));
        out.text(shortened(asked.friendly_name));
        const Answer got = self(host).call(FrameType::material, out);
        *answer = got.payload;
        return static_cast<std::int32_t>(got.status);
    };
    table_.live = [](const certcast_host* host, const certcast_live* found) -> std::int32_t {
        if (found == nullptr) return self(host).refuse(CERTCAST_E_INVALID, "live: NULL");
        const auto live = covered(found);
        if (!self(host).may_tell_now(FrameType::live)) {
            return self(host).refuse(CERTCAST_E_INVALID, "live is for inspect and verify");
        }
        if (!is_possible(live, live.evidence.size, self(host).job_->certificate_count)) {
            return self(host).refuse(CERTCAST_E_INVALID, "live was told something impossible");
        }
        wire::Writer out;
        out.u64(live.certificate);
        out.u32(live.presence);
        out.u32(live.evidence_kind);
        out.bytes(span_of(live.evidence));
        out.i64(live.not_after);
        out.u32(live.as_wanted);
        return self(host).tell(FrameType::live, out);
    };
    table_.step = [](const certcast_host* host, certcast_str label,
                     certcast_bytes undo) -> std::int32_t {
        if (undo.size > longest_step) {
            return self(host).refuse(CERTCAST_E_TOO_LARGE, "step: at most 16 MiB");
        }
        wire::Writer out;
        out.text(shortened(label));
        out.bytes(span_of(undo));
        return static_cast<std::int32_t>(self(host).call(FrameType::step, out).status);
    };
    table_.step_undone = [](const certcast_host* host, std::uint64_t index) -> std::int32_t {
        wire::Writer out;
        out.u64(index);
        return static_cast<std::int32_t>(self(host).call(FrameType::step_undone, out).status);
    };
    table_.set_state = [](const certcast_host* host, certcast_bytes state) -> std::int32_t {
        if (state.size > longest_state) {
            return self(host).refuse(CERTCAST_E_TOO_LARGE, "set_state: at most 1 MiB");
        }
        wire::Writer out;
        out.bytes(span_of(state));
        return static_cast<std::int32_t>(self(host).call(FrameType::set_state, out).status);
    };
    table_.wait = [](const certcast_host* host, std::uint64_t ms, certcast_str why) {
        wire::Writer out;
        out.u64(ms);
        out.text(shortened(why));
        return static_cast<std::int32_t>(self(host).call(FrameType::wait, out).status);
    };
    table_.protect = [](const certcast_host* host, std::uint64_t ms) {
        wire::Writer out;
        out.u64(ms);
        return static_cast<std::int32_t>(self(host).call(FrameType::protect, out).status);
    };
    table_.unprotect = [](const certcast_host* host) {
        return static_cast<std::int32_t>(
            self(host).call(FrameType::unprotect, std::span<const std::byte>{}).status);
    };
    table_.run_command = [](const certcast_host* host, certcast_str param,
                            const certcast_field* variables, std::uint64_t count,
                            certcast_command_result* result) -> std::int32_t {
        wire::Writer out;
        out.text(shortened(param));
        put_fields(out, variables, count, UINT64_MAX);
        return self(host).command_answer(self(host).call(FrameType::run_command, out), result);
    };
    table_.request_reload = [](const certcast_host* host, certcast_str identity, certcast_str param,
                               certcast_command_result* result) {
        wire::Writer out;
        out.text(shortened(identity));
        out.text(shortened(param));
        return self(host).command_answer(self(host).call(FrameType::request_reload, out), result);
    };
    table_.diagnose = [](const certcast_host* host, std::uint32_t severity, certcast_str path,
                         certcast_str summary, certcast_str detail) {
        if (!self(host).may_tell_now(FrameType::diagnose)) {
            return self(host).refuse(CERTCAST_E_INVALID, "diagnose is for validate and inspect");
        }
        wire::Writer out;
        out.u32(std::min<std::uint32_t>(severity, CERTCAST_ERROR));
        out.text(shortened(path));
        out.text(shortened(summary));
        out.text(shortened(detail));
        return self(host).tell(FrameType::diagnose, out);
    };
    table_.fail = [](const certcast_host* host, std::uint32_t category, std::uint32_t retry,
                     std::uint64_t retry_after_ms, certcast_str code,
                     certcast_str message) -> std::int32_t {
        wire::Writer out;
        out.u32(category);
        out.u32(retry);
        out.u64(retry_after_ms);
        out.text(shortened(code));
        out.text(shortened(message));
        return self(host).tell(FrameType::fail, out);
    };
    table_.set_changed = [](const certcast_host* host, std::uint64_t certificate,
                            std::uint32_t yes) {
        if (!self(host).may_tell_now(FrameType::set_changed) ||
            certificate >= self(host).job_->certificate_count) {
            return self(host).refuse(CERTCAST_E_INVALID,
                                     "set_changed is for deploy, and for certificates there are");
        }
        wire::Writer out;
        out.u64(certificate);
        out.u32(yes);
        return self(host).tell(FrameType::set_changed, out);
    };
    table_.output = [](const certcast_host* host, certcast_str name, certcast_str value) {
        wire::Writer out;
        out.text(shortened(name));
        out.text(shortened(value));
        return self(host).tell(FrameType::output, out);
    };
    table_.last_error = [](const certcast_host* host) -> certcast_str {
        const std::string& text = self(host).last_error_;
        return {text.data(), text.size()};
    };
    table_.get_extension = [](const certcast_host*, certcast_str id) -> const void* {
        return view(id) == CERTCAST_SESSION_1 ? &session : nullptr;
    };
}

}  // namespace certcast::program
