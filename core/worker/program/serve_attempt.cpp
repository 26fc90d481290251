#include "core/base/secret.hpp"
#include "core/worker/program/attempt_process.hpp"
#include "core/worker/program/job_host.hpp"
#include "core/worker/program/library.hpp"
#include "core/worker/program/sandbox.hpp"
#include "core/worker/worker_wire.hpp"

#include <cxxabi.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace certcast::program {

namespace {

/// Values of the job in the shape of the ABI. Their texts lie in the frame, which is kept.
class ValueTree {
public:
    bool read(wire::Reader& in, certcast_value& value, int depth = 0) {
        constexpr int deepest = 16;
        value.type = in.u32();
        value.integer = in.i64();
        value.text = text(in);
        const std::uint32_t count = in.count(4);
        if (depth > deepest || !in.ok()) return false;
        auto& entries = blocks_.emplace_back(new certcast_entry[count + 1]());
        certcast_entry* const first = entries.get();
        for (std::uint32_t i = 0; i < count; ++i) {
            first[i].key = text(in);
            if (!read(in, first[i].value, depth + 1)) return false;
        }
        value.entries = first;
        value.count = count;
        return in.ok();
    }

    static certcast_str text(wire::Reader& in) {
        const std::string_view value = in.text();
        return {value.data(), value.size()};
    }

private:
    std::vector<std::unique_ptr<certcast_entry[]>> blocks_;
};

/// One job, from its frame until its deployer is closed.
class Attempt {
public:
    Attempt(const certcast_plugin& plugin, Connection& connection)
        : connection_(connection), host_(connection) {
        read_job(plugin, connection.receive());
    }

    /// Returns when it is closed and another job may come.
    void run() {
        while (!closed_) {
            Frame frame = connection_.receive();
            wire::Reader in(frame.payload);
            if (frame.type == FrameType::run_stage) {
                run_stage(in);
            } else if (frame.type == FrameType::finish) {
                const std::uint32_t number = in.u32();
                finish(number, in.i64());
            } else {
                _exit(exit_protocol);
            }
        }
    }

private:
    void read_job(const certcast_plugin& plugin, const Frame& frame) {
        if (frame.type != FrameType::job) _exit(exit_protocol);
        kept_ = Secret(frame.payload);
        wire::Reader in(kept_.bytes());
        job_.size = sizeof job_;
        deployer_ = find_deployer(plugin, in.text());
        job_.deployment = ValueTree::text(in);
        job_.target = ValueTree::text(in);
        bool good = values_.read(in, target_values_);
        job_.target_values = &target_values_;
        const std::uint32_t certificates = in.count(4);
        for (std::uint32_t i = 0; i < certificates; ++i) {
            certificates_.push_back(ValueTree::text(in));
        }
        job_.certificates = certificates_.data();
        job_.certificate_count = certificates_.size();
        good = good && values_.read(in, config_);
        job_.config = &config_;
        job_.attempt = in.u32();
        const auto state = in.bytes();
        job_.state = {reinterpret_cast<const std::uint8_t*>(state.data()), state.size()};
        job_.state_version = ValueTree::text(in);
        job_.work_folder = ValueTree::text(in);
        job_.step_stride = sizeof(certcast_step);
        job_.host = host_.table();
        if (!good || !in.finished() || deployer_ == nullptr) _exit(exit_protocol);
    }

    void run_stage(wire::Reader& in) {
        const std::uint32_t number = in.u32();
        job_.stage = in.u32();
        job_.flags = in.u64();
        const std::int64_t deadline = in.i64();
        const std::uint32_t count = in.count(13);
        // The frame's buffer is used again while the stage runs, so undo data is copied.
        std::vector<std::string> labels(count);
        std::vector<Secret> undos(count);
        std::vector<certcast_step> steps(count);
        for (std::uint32_t i = 0; i < count; ++i) {
            labels[i] = in.text();
            const auto undo = in.bytes();
            undos[i] = Secret(undo);
            steps[i] = {{labels[i].data(), labels[i].size()},
                        {reinterpret_cast<const std::uint8_t*>(undos[i].data()), undos[i].size()},
                        in.u32(),
                        in.u8()};
        }
        if (!in.finished()) _exit(exit_protocol);
        job_.steps = steps.data();
        job_.step_count = steps.size();
        host_.begin_stage(number, deadline, job_);
        const std::int32_t status =
            job_.stage == CERTCAST_STAGE_CLOSE ? close() : guarded([this] { return call_stage(); });
        const Fd one_more(dup(STDIN_FILENO));
        const bool out_of_files = !one_more && errno == EMFILE;
        fflush(nullptr);
        host_.end_stage();
        undos.clear();
        job_.steps = nullptr;  // close sees none
        job_.step_count = 0;
        job_.flags = 0;
        wire::Writer out;
        out.u32(static_cast<std::uint32_t>(status));
        out.u8(out_of_files ? 1 : 0);
        connection_.send(FrameType::stage_ended, 0, out.data());
    }

    std::int32_t call_stage() {
        if (self_ == nullptr && !create()) return CERTCAST_FAILED;
        switch (job_.stage) {
            case CERTCAST_STAGE_VALIDATE:
                return call(deployer_->validate);
            case CERTCAST_STAGE_DISCOVER:
                return call(deployer_->discover);
            case CERTCAST_STAGE_INSPECT:
                return call(deployer_->inspect);
            case CERTCAST_STAGE_DEPLOY:
                return call(deployer_->deploy);
            case CERTCAST_STAGE_VERIFY:
                return call(deployer_->verify);
            case CERTCAST_STAGE_SETTLE:
                return call(deployer_->settle);
            case CERTCAST_STAGE_ROLLBACK:
                return call(deployer_->rollback);
            default:
                return CERTCAST_FAILED;  // a number from a newer host
        }
    }

    bool create() {
        // A deployer without `create` keeps no state: any address does for its self.
        self_ = deployer_->create == nullptr ? this : deployer_->create(&job_);
        return self_ != nullptr;
    }

    std::int32_t call(std::int32_t (*stage)(void*, const certcast_job*)) {
        return stage == nullptr ? CERTCAST_OK : stage(self_, &job_);
    }

    // Nothing may cross the ABI; what does cross it is told instead of aborting.
    template <typename Function>
    std::int32_t guarded(const Function& function) {
        std::string message;
        try {
            return function();
        } catch (const abi::__forced_unwind&) {
            throw;
        } catch (const std::exception& error) {
            message = std::string("an exception left the plugin: ") + error.what();
        } catch (...) {
            message = "an exception left the plugin that is no std::exception";
        }
        job_.host->fail(job_.host, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER, 0, {},
                        {message.data(), message.size()});
        return CERTCAST_FAILED;
    }

    [[noreturn]] void finish(std::uint32_t number, std::int64_t deadline) {
        host_.begin_stage(number, deadline, job_);
        job_.stage = CERTCAST_STAGE_CLOSE;
        close();
        fflush(nullptr);
        connection_.send(FrameType::result, 0, {});
        _exit(0);
    }

    // A logout that fails changes nothing about what is served.
    std::int32_t close() {
        guarded([this]() -> std::int32_t {
            if (self_ == nullptr) return CERTCAST_OK;
            const std::int32_t closed = call(deployer_->close);
            if (deployer_->destroy != nullptr && deployer_->create != nullptr) {
                deployer_->destroy(self_);
            }
            return closed;
        });
        closed_ = true;
        return CERTCAST_OK;
    }

    Connection& connection_;
    JobHost host_;
    const certcast_deployer* deployer_ = nullptr;
    void* self_ = nullptr;
    bool closed_ = false;
    certcast_job job_{};
    Secret kept_;
    ValueTree values_;
    certcast_value target_values_{};
    certcast_value config_{};
    std::vector<certcast_str> certificates_;
};

}  // namespace

void serve_attempt(const certcast_plugin& plugin) {
    fcntl(cancel_fd, F_SETFD, FD_CLOEXEC);
    std::set_new_handler([] { _exit(exit_out_of_memory); });
    Connection connection(attempt_fd, &_exit);
    for (;;) Attempt(plugin, connection).run();
}

namespace {

Result<const certcast_plugin*> confine_and_load(const std::string& library,
                                                const std::string& work_folder) {
    const pid_t server = getppid();
    Connection connection(attempt_fd, &_exit);
    Confinement confinement = receive_confinement(connection);
    confinement.work_folder = work_folder;
    if (confinement.user != 0) {
        // By descriptor: this is still root, and a name may lead elsewhere by now.
        const Fd own(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!own || fchown(own.get(), confinement.user, confinement.user) != 0) {
            return system_error("cannot give the work folder away", errno, work_folder);
        }
    }
    auto confined = confine(confinement, Denied::asked);
    if (!confined) return confined.error();
    send_confined(connection, std::move(*confined));
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // another user forgets it
    if (getppid() != server) _exit(exit_host_gone);
    return load_plugin(library);
}

}  // namespace

void serve_cold_attempt(const std::string& library) {
    // exec made the process dumpable again.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const std::string work_folder = std::filesystem::current_path().string();
    const auto plugin = confine_and_load(library, work_folder);
    if (!plugin) {
        dprintf(STDERR_FILENO, "%s\n", plugin.error().text().c_str());
        _exit(exit_setup);
    }
    if (chdir(work_folder.c_str()) != 0) _exit(exit_setup);
    serve_attempt(**plugin);
}

}  // namespace certcast::program
