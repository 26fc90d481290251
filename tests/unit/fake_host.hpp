#pragma once

#include "core/base/duration.hpp"
#include "core/certificate/certificate_bundle.hpp"

#include <certcast/plugin.h>
#include <certcast/session.h>
#include <dlfcn.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace certcast::testing {

inline std::string_view view(certcast_str text) {
    return {text.data, text.size};
}
inline std::string_view view(certcast_bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}
inline certcast_str str(std::string_view text) {
    return {text.data(), text.size()};
}
inline certcast_bytes raw_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The table of a plugin that was built, loaded into this process.
inline const certcast_plugin& load_plugin(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(dlerror());
    const auto entry =
        reinterpret_cast<const certcast_plugin* (*)()>(dlsym(library, CERTCAST_ENTRY_SYMBOL));
    if (entry == nullptr) throw std::runtime_error("no entry symbol in " + path);
    return *entry();
}

using Table = std::map<std::string, std::string>;
/// What an operator would write for one parameter: a scalar, a list or command, a list of tables.
using Written = std::variant<std::string, std::vector<std::string>, std::vector<Table>>;

struct FakeStep {
    std::string label;
    std::string undo;
    bool undone = false;
};

struct FakeLive {
    std::uint32_t presence = 0;
    std::uint32_t evidence_kind = 0;
    std::string evidence;
    std::int64_t not_after = 0;
    bool as_wanted = false;
};

struct FakeFinding {
    std::uint32_t severity = 0;
    std::string path;
    std::string text;
};

/// How one stage ended.
struct FakeOutcome {
    bool ok = false;
    std::uint32_t category = 0;
    std::uint32_t retry = 0;
    std::uint64_t retry_after_ms = 0;
    std::string code;
    std::string message;
};

/// A host without a process around the plugin: runs stages of one deployer in this one and notes
/// what it asks for. Steps stand, as in the real one, until the test forgets them.
class FakeHost {
public:
    explicit FakeHost(const certcast_deployer& deployer)
        : deployer_(deployer), cancel_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        fill_calls();
    }
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost() { close(cancel_fd_); }

    // What the deployment is.
    std::map<std::string, Written> config;
    std::map<std::string, std::string> secrets;
    std::map<std::string, const CertificateBundle*> bundles;
    std::vector<std::string> certificates;
    std::uint64_t flags = 0;
    std::chrono::milliseconds timeout{10'000};
    std::function<std::pair<int, std::string>(const std::string& param)> command =
        [](const std::string&) { return std::pair(0, std::string()); };

    // What the deployer did.
    std::vector<FakeStep> steps;
    std::map<std::uint64_t, FakeLive> lives;
    std::map<std::uint64_t, FakeLive> former;  ///< what CERTCAST_FORMER answers from
    std::map<std::uint64_t, bool> changed;
    std::vector<std::string> commands;
    std::vector<FakeFinding> findings;
    std::vector<std::string> logs;
    std::function<void()> on_log = [] {};  ///< hears of each of them
    std::map<std::string, std::string> outputs;
    std::string state;
    std::string extension = CERTCAST_SESSION_1;  ///< the one that there is
    std::map<std::string, std::string> shared;   ///< what it keeps
    std::uint32_t protections = 0;

    void add(const std::string& name, const CertificateBundle& bundle) {
        certificates.push_back(name);
        bundles[name] = &bundle;
    }
    void cancel(std::uint32_t why) {
        cancelled_ = why;
        const std::uint64_t one = 1;
        if (write(cancel_fd_, &one, sizeof(one)) < 0) throw std::runtime_error("eventfd");
    }

    bool has(std::uint32_t stage) const { return function_of(stage) != nullptr; }

    /// Runs one stage on an object of its own, as a process that was killed before would.
    FakeOutcome run(std::uint32_t stage) {
        outcome_ = {};
        stage_ = stage;
        deadline_ = std::chrono::steady_clock::now() + timeout;
        answers_.clear();
        nodes_.clear();
        const certcast_value table =
            table_of(deployer_.descriptor->params, deployer_.descriptor->param_count, config);
        std::vector<certcast_str> names;
        for (const std::string& name : certificates) names.push_back(str(name));
        std::vector<certcast_step> raw_steps;
        for (const FakeStep& step : steps) {
            raw_steps.push_back({str(step.label), raw_bytes(step.undo), 1, step.undone ? 1u : 0u});
        }
        certcast_job job{};
        job.size = sizeof(job);
        job.stage = stage;
        job.attempt = 1;
        job.flags = flags;
        job.deployment = CERTCAST_STR("fake");
        job.certificates = names.data();
        job.certificate_count = names.size();
        job.config = &table;
        job.steps = raw_steps.data();
        job.step_count = raw_steps.size();
        job.step_stride = sizeof(certcast_step);
        const std::string state_before = state;
        job.state = raw_bytes(state_before);
        job.host = &host_;

        const std::unique_ptr<void, void (*)(void*)> self(deployer_.create(&job),
                                                          deployer_.destroy);
        if (!self) return outcome_;
        const std::int32_t status = function_of(stage)(self.get(), &job);
        if (deployer_.close != nullptr) deployer_.close(self.get(), &job);
        outcome_.ok = status == CERTCAST_OK;
        return outcome_;
    }
    FakeOutcome inspect() {
        lives.clear();
        const FakeOutcome outcome = run(CERTCAST_STAGE_INSPECT);
        former = lives;
        return outcome;
    }
    bool as_wanted() {
        return inspect().ok && lives.size() == certificates.size() &&
               std::all_of(lives.begin(), lives.end(),
                           [](const auto& live) { return live.second.as_wanted; });
    }
    FakeOutcome roll_back() {
        flags |= CERTCAST_JOB_RECOVERING;
        FakeOutcome outcome = run(CERTCAST_STAGE_ROLLBACK);
        if (outcome.ok && has(CERTCAST_STAGE_VERIFY)) outcome = run(CERTCAST_STAGE_VERIFY);
        flags &= ~std::uint64_t{CERTCAST_JOB_RECOVERING};
        return outcome;
    }

private:
    using Stage = std::int32_t (*)(void*, const certcast_job*);

    Stage function_of(std::uint32_t stage) const {
        switch (stage) {
            case CERTCAST_STAGE_VALIDATE:
                return deployer_.validate;
            case CERTCAST_STAGE_INSPECT:
                return deployer_.inspect;
            case CERTCAST_STAGE_DEPLOY:
                return deployer_.deploy;
            case CERTCAST_STAGE_VERIFY:
                return deployer_.verify;
            case CERTCAST_STAGE_SETTLE:
                return deployer_.settle;
            case CERTCAST_STAGE_ROLLBACK:
                return deployer_.rollback;
            default:
                return nullptr;
        }
    }

    // Values as the host would hand them out, kept until the next stage.

    certcast_value scalar(std::uint32_t type, const std::string& text) {
        certcast_value value{};
        value.type = type;
        answers_.push_back(text);
        value.text = str(answers_.back());
        if (type == CERTCAST_BOOL) value.integer = text == "true" ? 1 : 0;
        if (type == CERTCAST_INT) value.integer = std::stoll(text);
        if (type == CERTCAST_DURATION) value.integer = parse_duration(text).value().count();
        if (type == CERTCAST_CERTIFICATE) {
            value.integer =
                std::find(certificates.begin(), certificates.end(), text) - certificates.begin();
        }
        return value;
    }
    certcast_value list(std::uint32_t type, std::vector<certcast_value> elements) {
        std::vector<certcast_entry>& entries = nodes_.emplace_back();
        for (const certcast_value& element : elements) entries.push_back({{}, element});
        certcast_value value{};
        value.type = type;
        value.entries = entries.data();
        value.count = entries.size();
        return value;
    }
    certcast_value value_of(const certcast_param& param, const Written& written) {
        if (const auto* text = std::get_if<std::string>(&written)) {
            return scalar(param.type, *text);
        }
        std::vector<certcast_value> elements;
        if (const auto* texts = std::get_if<std::vector<std::string>>(&written)) {
            const std::uint32_t type =
                param.type == CERTCAST_COMMAND ? std::uint32_t{CERTCAST_TEXT} : param.element_type;
            for (const std::string& text : *texts) elements.push_back(scalar(type, text));
        } else {
            for (const Table& table : std::get<std::vector<Table>>(written)) {
                elements.push_back(table_of(param.fields, param.field_count, table));
            }
        }
        return list(param.type, std::move(elements));
    }
    template <typename Values>
    certcast_value table_of(const certcast_param* params, std::uint64_t count,
                            const Values& written) {
        std::vector<certcast_entry> entries;
        for (std::uint64_t i = 0; i < count; ++i) {
            const certcast_param& param = params[i];
            certcast_value value{};
            const auto found = written.find(std::string(view(param.name)));
            if (found != written.end()) {
                value = value_of(param, found->second);
            } else if (param.default_value.data != nullptr) {
                value = scalar(param.type, std::string(view(param.default_value)));
            }
            entries.push_back({param.name, value});
        }
        certcast_value table{};
        table.type = CERTCAST_OBJECT;
        table.count = entries.size();
        table.entries = nodes_.emplace_back(std::move(entries)).data();
        return table;
    }

    // The calls.

    static FakeHost& self_of(const certcast_host* host) {
        return *static_cast<FakeHost*>(host->context);
    }
    std::int32_t refuse(std::int32_t status, std::string why) {
        last_error_ = std::move(why);
        return status;
    }
    certcast_bytes answer(std::string_view bytes) {
        answers_.emplace_back(bytes);
        return raw_bytes(answers_.back());
    }
    std::int32_t answer(const Result<Secret>& found, certcast_bytes* out) {
        if (found.has_error()) return refuse(CERTCAST_E_NOT_FOUND, found.error().text());
        *out = answer(found->text());
        return CERTCAST_OK;
    }
    std::int32_t material(const certcast_material_query& query, certcast_bytes* out) {
        if (query.certificate >= certificates.size()) {
            return refuse(CERTCAST_E_INVALID, "no such certificate");
        }
        if (query.generation == CERTCAST_FORMER) {
            const auto found = former.find(query.certificate);
            if (found == former.end() || found->second.evidence_kind != CERTCAST_EVIDENCE_DER) {
                return refuse(CERTCAST_E_NOT_FOUND, "nothing is known of what was there");
            }
            return answer(
                material_of_der(std::as_bytes(std::span(found->second.evidence)), query.kind), out);
        }
        const bool is_key = query.kind == CERTCAST_KEY_PEM || query.kind == CERTCAST_KEY_DER ||
                            query.kind == CERTCAST_PKCS12;
        if (is_key && (deployer_.descriptor->needs & CERTCAST_NEEDS_KEY) == 0) {
            return refuse(CERTCAST_E_DENIED, "does not declare that it needs keys");
        }
        return answer(bundles.at(certificates[query.certificate])
                          ->material(query.kind, view(query.password), view(query.friendly_name),
                                     static_cast<Pkcs12Profile>(query.pkcs12_profile)),
                      out);
    }
    std::int32_t run_command(certcast_str param, certcast_command_result* out) {
        const std::string name(view(param));
        if (!config.contains(name)) return refuse(CERTCAST_E_NOT_FOUND, "no such command");
        commands.push_back(name);
        const auto [status, output] = command(name);
        out->status = status;
        out->output = answer(output);
        return CERTCAST_OK;
    }
    void note_failure(std::uint32_t category, std::uint32_t retry, std::uint64_t after,
                      certcast_str code, certcast_str message) {
        if (outcome_.category != 0) return;
        outcome_ = {
            false, category, retry, after, std::string(view(code)), std::string(view(message))};
    }

    void fill_calls() {
        host_.size = sizeof(host_);
        host_.context = this;
        host_.log = [](const certcast_host* host, std::uint32_t, certcast_str message,
                       const certcast_field* fields, std::uint64_t count) {
            std::string line(view(message));
            for (const certcast_field& field : std::span(fields, count)) {
                line += ", " + std::string(view(field.name)) + "=" + std::string(view(field.value));
            }
            self_of(host).logs.push_back(std::move(line));
            self_of(host).on_log();
        };
        host_.progress = [](const certcast_host*, std::uint32_t, certcast_str) {};
        host_.cancelled = [](const certcast_host* host) { return self_of(host).cancelled_; };
        host_.cancel_fd = [](const certcast_host* host) -> std::int32_t {
            return self_of(host).cancel_fd_;
        };
        host_.deadline_ns = [](const certcast_host* host) -> std::int64_t {
            return self_of(host).deadline_.time_since_epoch().count();
        };
        host_.secret = [](const certcast_host* host, certcast_str name, std::uint32_t,
                          certcast_bytes* out) -> std::int32_t {
            FakeHost& self = self_of(host);
            const auto found = self.secrets.find(std::string(view(name)));
            if (found == self.secrets.end()) {
                return self.refuse(CERTCAST_E_HOST, "the command ended with status 1");
            }
            *out = self.answer(found->second);
            return CERTCAST_OK;
        };
        host_.material = [](const certcast_host* host, const certcast_material_query* query,
                            certcast_bytes* out) { return self_of(host).material(*query, out); };
        host_.live = [](const certcast_host* host, const certcast_live* live) -> std::int32_t {
            self_of(host).lives[live->certificate] = {live->presence, live->evidence_kind,
                                                      std::string(view(live->evidence)),
                                                      live->not_after, live->as_wanted != 0};
            return CERTCAST_OK;
        };
        host_.step = [](const certcast_host* host, certcast_str label,
                        certcast_bytes undo) -> std::int32_t {
            FakeHost& self = self_of(host);
            if (self.stage_ != CERTCAST_STAGE_DEPLOY) {
                return self.refuse(CERTCAST_E_INVALID, "step is not for this stage");
            }
            self.steps.push_back({std::string(view(label)), std::string(view(undo))});
            return CERTCAST_OK;
        };
        host_.step_undone = [](const certcast_host* host, std::uint64_t index) -> std::int32_t {
            self_of(host).steps.at(index).undone = true;
            return CERTCAST_OK;
        };
        host_.set_state = [](const certcast_host* host, certcast_bytes bytes) -> std::int32_t {
            self_of(host).state = view(bytes);
            return CERTCAST_OK;
        };
        host_.wait = [](const certcast_host* host, std::uint64_t ms, certcast_str) -> std::int32_t {
            FakeHost& self = self_of(host);
            const bool is_woken = self.cancelled_ != 0 && ms > 0;
            return is_woken ? self.refuse(CERTCAST_E_CANCELLED, "woken") : CERTCAST_OK;
        };
        host_.protect = [](const certcast_host* host, std::uint64_t) -> std::int32_t {
            ++self_of(host).protections;
            return CERTCAST_OK;
        };
        host_.unprotect = [](const certcast_host* host) -> std::int32_t {
            --self_of(host).protections;
            return CERTCAST_OK;
        };
        host_.run_command = [](const certcast_host* host, certcast_str param, const certcast_field*,
                               std::uint64_t, certcast_command_result* out) {
            return self_of(host).run_command(param, out);
        };
        host_.request_reload = [](const certcast_host* host, certcast_str, certcast_str param,
                                  certcast_command_result* out) {
            return self_of(host).run_command(param, out);
        };
        host_.diagnose = [](const certcast_host* host, std::uint32_t severity, certcast_str path,
                            certcast_str summary, certcast_str detail) -> std::int32_t {
            self_of(host).findings.push_back(
                {severity, std::string(view(path)),
                 std::string(view(summary)) + "; " + std::string(view(detail))});
            return CERTCAST_OK;
        };
        host_.fail = [](const certcast_host* host, std::uint32_t category, std::uint32_t retry,
                        std::uint64_t after, certcast_str code,
                        certcast_str message) -> std::int32_t {
            self_of(host).note_failure(category, retry, after, code, message);
            return CERTCAST_OK;
        };
        host_.set_changed = [](const certcast_host* host, std::uint64_t certificate,
                               std::uint32_t yes) -> std::int32_t {
            self_of(host).changed[certificate] = yes != 0;
            return CERTCAST_OK;
        };
        host_.output = [](const certcast_host* host, certcast_str name,
                          certcast_str value) -> std::int32_t {
            self_of(host).outputs[std::string(view(name))] = view(value);
            return CERTCAST_OK;
        };
        host_.last_error = [](const certcast_host* host) { return str(self_of(host).last_error_); };
        host_.get_extension = [](const certcast_host* host, certcast_str id) -> const void* {
            return view(id) == self_of(host).extension ? &self_of(host).session_ : nullptr;
        };
        session_.size = sizeof session_;
        session_.find = [](const certcast_host* host, certcast_str name, certcast_bytes refused,
                           std::uint64_t, certcast_bytes* out) -> std::int32_t {
            FakeHost& self = self_of(host);
            if (self.cancelled_ != 0) return CERTCAST_E_CANCELLED;
            const auto found = self.shared.find(std::string(view(name)));
            if (found == self.shared.end() || found->second == view(refused)) {
                return CERTCAST_E_NOT_FOUND;
            }
            *out = raw_bytes(self.answers_.emplace_back(found->second));
            return CERTCAST_OK;
        };
        session_.keep = [](const certcast_host* host, certcast_str name, certcast_bytes answer,
                           std::uint64_t lifetime_ms) {
            if (lifetime_ms != 0) self_of(host).shared[std::string(view(name))] = view(answer);
        };
    }

    const certcast_deployer& deployer_;
    certcast_host host_{};
    certcast_session session_{};
    int cancel_fd_;
    std::uint32_t cancelled_ = 0;
    std::uint32_t stage_ = 0;
    std::chrono::steady_clock::time_point deadline_;
    std::string last_error_;
    FakeOutcome outcome_;
    std::deque<std::string> answers_;
    std::deque<std::vector<certcast_entry>> nodes_;
};

}  // namespace certcast::testing
