#pragma once

#include <sys/types.h>

#include <string>

namespace certcast::program {

struct ForkServerOptions {
    std::string library;
    pid_t host = 0;
    bool cold = false;  ///< workers load the library themselves
};

/// Loads the library, then forks a worker whenever the host asks for one, and sees to it that
/// nothing of a worker outlives it. Never returns.
[[noreturn]] void serve_forks(const ForkServerOptions& options);

/// Loads the library, tells the host what is in it, and ends.
[[noreturn]] void describe(const std::string& library, pid_t host);

}  // namespace certcast::program
