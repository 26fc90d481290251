// SPDX-License-Identifier: Apache-2.0
//
// For authors of deployers in C++20. A deployer is a plain class:
//
//     struct PemFile {
//         static constexpr certcast::About about{.id = "org.example.pemfile", ...};
//         static constexpr auto file = certcast::path("file").required().writes().identity();
//         static constexpr auto parameters = certcast::parameters(file);
//         void deploy(certcast::Job& job);
//     };
//     CERTCAST_DEPLOYER(PemFile)
//
// Stages beside deploy are optional: validate, inspect, verify, settle, rollback, close. They are
// public and not overloaded: others are not seen. All of an attempt run on one object; rollback may
// run on a fresh one in a fresh process. One process may validate several deployments, one after
// the other and each on an object of its own: what is static stays. A stage fails by an exception:
// one of <certcast/errors.hpp>, std::system_error, or whatever a library throws.
#pragma once

#include <certcast/job.hpp>

#include <cxxabi.h>

#include <exception>
#include <memory>
#include <new>

namespace certcast {

// NOLINTBEGIN(readability-identifier-naming): the ABI's names, without its prefix
inline constexpr std::uint64_t NETWORK = CERTCAST_NEEDS_NETWORK;
inline constexpr std::uint64_t KEY = CERTCAST_NEEDS_KEY;
inline constexpr std::uint64_t EXEC = CERTCAST_NEEDS_EXEC;
inline constexpr std::uint64_t SIGNALS = CERTCAST_NEEDS_SIGNALS;
inline constexpr std::uint64_t DRY_RUN = CERTCAST_NEEDS_DRY_RUN;
inline constexpr std::uint64_t NO_FORK = CERTCAST_NEEDS_NO_FORK;
inline constexpr std::uint64_t UNIX_SOCKETS = CERTCAST_NEEDS_UNIX_SOCKETS;
// NOLINTEND(readability-identifier-naming)

/// Default timeouts; zero leaves it to the host.
struct Timeouts {
    std::chrono::milliseconds validate{0}, discover{0}, inspect{0}, deploy{0}, verify{0}, settle{0},
        rollback{0}, close{0};
};

/// What a deployer says of itself. Everyone but certcast itself uses reverse DNS as id.
struct About {
    std::string_view id;
    std::string_view version;
    std::string_view name;
    std::string_view vendor{};
    std::string_view url{};
    std::uint64_t needs = 0;
    Timeouts timeouts{};
    std::chrono::milliseconds grace{0};
    std::chrono::milliseconds longest_protect{0};
    std::uint32_t max_certificates = 0;
    std::uint32_t max_parallel = 0;
};

/// A path that the deployer touches beside its parameters; `static constexpr auto other_files =
/// certcast::other_files(certcast::reads("/etc/ssl/openssl.cnf"));`
constexpr certcast_file reads(std::string_view path) {
    return {detail::str(path), CERTCAST_READS};
}
constexpr certcast_file writes(std::string_view path) {
    return {detail::str(path), CERTCAST_WRITES};
}
template <typename... Files>
constexpr std::array<certcast_file, sizeof...(Files)> other_files(Files... files) {
    return {files...};
}

namespace detail {

inline void fail(const certcast_job& job, std::uint32_t category, std::uint32_t retry,
                 std::string_view message, std::uint64_t retry_after_ms = 0,
                 std::string_view code = {}) {
    job.host->fail(job.host, category, retry, retry_after_ms, str(code), str(message));
}

/// The edge: whatever is thrown ends here and becomes a category. A forced unwinding (the thread is
/// being cancelled) is no exception and must go on; there is no object behind its reference.
template <typename Stage>
__attribute__((no_sanitize("null"), noinline)) std::int32_t guarded(const certcast_job& raw,
                                                                    Stage stage) {
    try {
        stage();
        return CERTCAST_OK;
    } catch (const DeployerError& error) {
        const auto after = static_cast<std::uint64_t>(
            std::max(error.retry_after().count(), std::chrono::milliseconds::rep{0}));
        fail(raw, error.category(), error.retry(), error.what(), after, error.code());
    } catch (const std::system_error& error) {
        const Verdict verdict = verdict_of(error.code());
        fail(raw, verdict.category, verdict.retry, error.what());
    } catch (const std::bad_alloc&) {
        fail(raw, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_LATER, "out of memory");
    } catch (const std::exception& error) {
        fail(raw, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER, error.what());
    } catch (const abi::__forced_unwind&) {
        throw;
    } catch (...) {
        fail(raw, CERTCAST_INTERNAL_ERROR, CERTCAST_RETRY_NEVER,
             "the plugin threw something that is no std::exception");
    }
    return CERTCAST_FAILED;
}

/// `self` is a D, whichever of its bases the method comes from.
template <typename D, auto Method>
std::int32_t call(void* self, const certcast_job* raw) {
    static_assert(std::is_void_v<decltype((std::declval<D&>().*Method)(std::declval<Job&>()))>,
                  "a stage returns void: it fails by throwing, see <certcast/errors.hpp>");
    return guarded(*raw, [&] {
        Job job(*raw);
        (static_cast<D*>(self)->*Method)(job);
    });
}

template <typename D>
struct Table {
    static_assert(
        requires { D::about; },
        "a deployer needs: static constexpr certcast::About about{.id = .., ...};");
    static_assert(
        requires(D & deployer, Job& job) { deployer.deploy(job); },
        "a deployer needs: void deploy(certcast::Job& job)");
    static_assert(std::is_default_constructible_v<D>, "certcast makes deployers without arguments");

    static constexpr bool has_name_and_version =
        !D::about.id.empty() && !D::about.version.empty() && !D::about.name.empty();
    static_assert(has_name_and_version, "about needs .id, .version and .name");

    static constexpr std::uint64_t ms(std::chrono::milliseconds time) {
        return static_cast<std::uint64_t>(time.count());
    }

    static constexpr std::array<std::uint64_t, 8> timeouts{
        ms(D::about.timeouts.validate), ms(D::about.timeouts.discover),
        ms(D::about.timeouts.inspect),  ms(D::about.timeouts.deploy),
        ms(D::about.timeouts.verify),   ms(D::about.timeouts.settle),
        ms(D::about.timeouts.rollback), ms(D::about.timeouts.close)};

    static constexpr certcast_descriptor make_descriptor() {
        certcast_descriptor made{};
        made.size = sizeof(made);
        made.needs = D::about.needs;
        made.id = str(D::about.id);
        made.version = str(D::about.version);
        made.name = str(D::about.name);
        made.vendor = str(D::about.vendor);
        made.url = str(D::about.url);
        if constexpr (requires { D::parameters; }) {
            made.params = D::parameters.data();
            made.param_count = D::parameters.size();
        }
        made.param_stride = sizeof(certcast_param);
        if constexpr (requires { D::other_files; }) {
            made.files = D::other_files.data();
            made.file_count = D::other_files.size();
        }
        made.file_stride = sizeof(certcast_file);
        made.stage_timeouts_ms = timeouts.data();
        made.stage_timeout_count = timeouts.size();
        made.grace_ms = ms(D::about.grace);
        made.longest_protect_ms = ms(D::about.longest_protect);
        made.max_certificates = D::about.max_certificates;
        made.max_parallel = D::about.max_parallel;
        return made;
    }
    static constexpr certcast_descriptor descriptor = make_descriptor();

    static void* create(const certcast_job* raw) {
        void* made = nullptr;
        guarded(*raw, [&] { made = std::make_unique<D>().release(); });
        return made;
    }
    static void destroy(void* self) { delete static_cast<D*>(self); }

    static constexpr certcast_deployer make_deployer() {
        certcast_deployer made{};
        made.size = sizeof(made);
        made.descriptor = &descriptor;
        made.create = &create;
        if constexpr (requires { &D::validate; }) made.validate = &call<D, &D::validate>;
        if constexpr (requires { &D::discover; }) made.discover = &call<D, &D::discover>;
        if constexpr (requires { &D::inspect; }) made.inspect = &call<D, &D::inspect>;
        made.deploy = &call<D, &D::deploy>;
        if constexpr (requires { &D::verify; }) made.verify = &call<D, &D::verify>;
        if constexpr (requires { &D::settle; }) made.settle = &call<D, &D::settle>;
        if constexpr (requires { &D::rollback; }) made.rollback = &call<D, &D::rollback>;
        if constexpr (requires { &D::close; }) made.close = &call<D, &D::close>;
        made.destroy = &destroy;
        return made;
    }
};

template <typename... Deployers>
struct Plugin {
    static_assert(sizeof...(Deployers) > 0, "CERTCAST_DEPLOYER needs a class");
    static constexpr std::array<certcast_deployer, sizeof...(Deployers)> deployers{
        Table<Deployers>::make_deployer()...};
    static constexpr certcast_plugin plugin{sizeof(certcast_plugin), CERTCAST_ABI_MAJOR,
                                            CERTCAST_ABI_MINOR,      deployers.data(),
                                            deployers.size(),        sizeof(certcast_deployer)};
};

}  // namespace detail

/// The table that the classes make: what the export returns, and what in-process tests drive.
template <typename... Deployers>
constexpr const certcast_plugin& plugin_of() {
    return detail::Plugin<Deployers...>::plugin;
}

}  // namespace certcast

/// Exports one class, or several of one library: CERTCAST_DEPLOYER(Upload, Cleanup).
#define CERTCAST_DEPLOYER(...)                                               \
    extern "C" CERTCAST_EXPORT const certcast_plugin* certcast_plugin_v1() { \
        return &certcast::plugin_of<__VA_ARGS__>();                          \
    }                                                                        \
    static_assert(true)
