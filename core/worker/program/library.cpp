#define BOOST_DLL_USE_STD_FS
#include "core/worker/program/library.hpp"

#include "core/base/wire.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/worker/program/abi.hpp"
#include "core/worker/program/process_state.hpp"

#include <boost/dll/shared_library.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

namespace certcast::program {

namespace {

/// Reads entries of an array that may be shorter or longer than the ones compiled here.
template <typename T>
class Strided {
public:
    Strided(const T* first, std::uint64_t count, std::uint64_t stride)
        : first_(reinterpret_cast<const std::byte*>(first)),
          count_(first == nullptr ? 0 : count),
          stride_(stride) {}

    std::uint64_t count() const { return count_; }
    T operator[](std::uint64_t index) const {
        T value{};
        std::memcpy(&value, first_ + index * stride_, std::min<std::size_t>(stride_, sizeof value));
        return value;
    }

private:
    const std::byte* first_;
    std::uint64_t count_;
    std::uint64_t stride_;
};

void encode_texts(const certcast_str* texts, std::uint64_t count, wire::Writer& out) {
    if (texts == nullptr) count = 0;
    out.u32(static_cast<std::uint32_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) out.text(view(texts[i]));
}

void encode_params(Strided<certcast_param> params, int depth, wire::Writer& out) {
    constexpr int deepest = 8;  // the host takes fewer; this one only ends a cycle
    const std::uint64_t count = depth > deepest ? 0 : params.count();
    out.u32(static_cast<std::uint32_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        const certcast_param param = params[i];
        out.text(view(param.name));
        out.text(view(param.doc));
        out.u32(param.type);
        out.u32(param.element_type);
        out.u64(param.flags);
        encode_texts(param.aliases, param.alias_count, out);
        encode_texts(param.choices, param.choice_count, out);
        out.i64(param.min);
        out.i64(param.max);
        out.u8(param.default_value.data != nullptr ? 1 : 0);
        out.text(view(param.default_value));
        out.text(view(param.pattern));
        encode_params({param.fields, param.field_count, param.field_stride}, depth + 1, out);
    }
}

std::uint32_t stages_of(const certcast_deployer& deployer) {
    std::uint32_t stages = 0;
    const auto add = [&stages](bool has, unsigned stage) {
        if (has) stages |= 1u << stage;
    };
    add(deployer.validate != nullptr, CERTCAST_STAGE_VALIDATE);
    add(deployer.discover != nullptr, CERTCAST_STAGE_DISCOVER);
    add(deployer.inspect != nullptr, CERTCAST_STAGE_INSPECT);
    add(deployer.deploy != nullptr, CERTCAST_STAGE_DEPLOY);
    add(deployer.verify != nullptr, CERTCAST_STAGE_VERIFY);
    add(deployer.settle != nullptr, CERTCAST_STAGE_SETTLE);
    add(deployer.rollback != nullptr, CERTCAST_STAGE_ROLLBACK);
    add(deployer.close != nullptr, CERTCAST_STAGE_CLOSE);
    return stages;
}

void encode_deployer(const certcast_deployer& deployer, wire::Writer& out) {
    const certcast_descriptor about = covered(deployer.descriptor);
    out.text(view(about.id));
    out.text(view(about.version));
    out.text(view(about.name));
    out.text(view(about.vendor));
    out.text(view(about.url));
    out.u64(about.needs);
    encode_params({about.params, about.param_count, about.param_stride}, 0, out);
    const Strided<certcast_file> files(about.files, about.file_count, about.file_stride);
    out.u32(static_cast<std::uint32_t>(files.count()));
    for (std::uint64_t i = 0; i < files.count(); ++i) {
        out.text(view(files[i].path));
        out.u64(files[i].flags);
    }
    const std::uint64_t timeouts =
        about.stage_timeouts_ms == nullptr ? 0 : about.stage_timeout_count;
    out.u32(static_cast<std::uint32_t>(timeouts));
    for (std::uint64_t i = 0; i < timeouts; ++i) out.u64(about.stage_timeouts_ms[i]);
    out.u64(about.grace_ms);
    out.u64(about.longest_protect_ms);
    out.u32(about.max_certificates);
    out.u32(about.max_parallel);
    out.u32(stages_of(deployer));
}

Strided<certcast_deployer> deployers_of(const certcast_plugin& plugin) {
    const certcast_plugin table = covered(&plugin);
    return {table.deployers, table.deployer_count, table.deployer_stride};
}

Error load_error(const std::string& path, std::string what) {
    return {ErrorCode::invalid, std::move(what), path};
}

}  // namespace

Result<const certcast_plugin*> load_plugin(const std::string& path) {
    using boost::dll::load_mode::rtld_local;
    using boost::dll::load_mode::rtld_now;
    using boost::dll::load_mode::type;
    try {
        // Never unloaded: the destructor would call dlclose.
        auto* library = ::new boost::dll::shared_library(std::filesystem::path(path),
                                                         static_cast<type>(rtld_now | rtld_local));
        restore_process_state();
        if (!library->has(CERTCAST_ENTRY_SYMBOL)) {
            return load_error(path, "exports no function " CERTCAST_ENTRY_SYMBOL
                                    ": it is no certcast plugin, or one for another major version");
        }
        const auto entry = library->get<const certcast_plugin*()>(CERTCAST_ENTRY_SYMBOL);
        const certcast_plugin* plugin = entry();
        if (plugin == nullptr) return load_error(path, "its entry function returned nothing");
        const certcast_plugin table = covered(plugin);
        if (table.abi_major != CERTCAST_ABI_MAJOR) {
            return load_error(path, "speaks version " + std::to_string(table.abi_major) +
                                        " of the plugin ABI; this certcast speaks version " +
                                        std::to_string(CERTCAST_ABI_MAJOR));
        }
        return plugin;
    } catch (const std::exception& error) {
        return load_error(path, std::string("cannot be loaded: ") + error.what());
    }
}

const certcast_deployer* find_deployer(const certcast_plugin& plugin, std::string_view id) {
    const auto deployers = deployers_of(plugin);
    for (std::uint64_t i = 0; i < deployers.count(); ++i) {
        const certcast_deployer deployer = deployers[i];
        if (view(covered(deployer.descriptor).id) == id) {
            return new certcast_deployer(deployer);  // one per process, for its life
        }
    }
    return nullptr;
}

Secret encode_plugin(const certcast_plugin& plugin, bool started_threads) {
    const auto deployers = deployers_of(plugin);
    bool cold = started_threads;
    for (std::uint64_t i = 0; i < deployers.count(); ++i) {
        const std::uint64_t needs = covered(deployers[i].descriptor).needs;
        cold = cold || (needs & CERTCAST_NEEDS_NO_FORK) != 0;
    }
    wire::Writer out;
    out.u32(describe_format);
    out.u8(cold ? 1 : 0);
    out.u32(static_cast<std::uint32_t>(deployers.count()));
    for (std::uint64_t i = 0; i < deployers.count(); ++i) encode_deployer(deployers[i], out);
    return out.take();
}

ThreadCount::ThreadCount() : status_(open("/proc/self/status", O_RDONLY | O_CLOEXEC)) {}

bool ThreadCount::more_than_one() const {
    char text[64 * 1024];  // a user may be in thousands of groups, which stand before it
    const ssize_t size = pread(status_.get(), text, sizeof text, 0);
    if (size <= 0) return true;
    return std::string_view(text, static_cast<std::size_t>(size)).find("\nThreads:\t1\n") ==
           std::string_view::npos;
}

}  // namespace certcast::program
