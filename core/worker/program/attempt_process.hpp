#pragma once

#include <certcast/plugin.h>

#include "core/base/error.hpp"
#include "core/base/fd.hpp"
#include "core/base/limits.hpp"

#include <string>

namespace certcast::program {

struct AttemptFds {
    Fd attempt;
    Fd cancel;
    Fd output;
};

/// Turns a fresh child of the fork server into a worker: session, death signal, descriptors,
/// folder, environment. What went wrong, or success.
Result<void> become_worker(AttemptFds fds, const std::string& work_folder);
/// 0: no limit.
void limit_memory(std::uint64_t bytes);
/// Closes what it had of its fork server, and keeps it to its limits.
void keep_to_its_own(const Limits& limits);

/// Serves the host's jobs with the given plugin, one after the other, until it says finish. Never
/// returns.
[[noreturn]] void serve_attempt(const certcast_plugin& plugin);

/// The worker of a library that cannot be forked: loads it here, then serves. Never returns.
[[noreturn]] void serve_cold_attempt(const std::string& library);

}  // namespace certcast::program
