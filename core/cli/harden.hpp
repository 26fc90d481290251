#pragma once

#include <cstdint>

namespace certcast {

/// What keeps secrets in this process: no core dump, no ptrace by others of the same user, and
/// OpenSSL's memory where secrets are. Also ignores SIGPIPE, and raises the number of files that
/// may be open. Call it first in main.
void harden_process();

/// The most workers that the limit on open files allows at once.
std::uint32_t most_workers();

}  // namespace certcast
