#pragma once

#include "tests/worker/process.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace certcast::testing {

/// That a test cannot run here, which is told, and a failure where CERTCAST_REAL_PARTS=required
/// says that it has to. False.
inline bool skip(const std::string& why) {
    const char* const wanted = std::getenv("CERTCAST_REAL_PARTS");
    const bool is_required = wanted != nullptr && std::string(wanted) == "required";
    CHECK_MESSAGE(!is_required, why);
    if (!is_required) MESSAGE("skipped: ", why);
    return false;
}

/// Whether a program of somebody else's is there to be tested against; where it is not, the test is
/// to return.
inline bool is_there(const std::string& program) {
    return ::access(program.c_str(), X_OK) == 0 ||
           skip(program + " is not there; tests/install_packages.sh real");
}

/// Root may, where it is no container's.
inline bool may_mount() {
    Process tried({"unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"},
                  {{"PATH", "/usr/bin:/bin"}});
    if (tried.wait().status == 0) return true;
    MESSAGE("skipped: nothing can be mounted here");
    return false;
}

}  // namespace certcast::testing
