#pragma once

#include "tests/worker/process.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace certcast::testing {

/// Whether a program of somebody else's is there to be tested against. Where it is not, the test is
/// to return: that is told, and a failure where CERTCAST_REAL_PARTS=required says that it has to
/// be.
inline bool is_there(const std::string& program) {
    if (::access(program.c_str(), X_OK) == 0) return true;
    const char* const wanted = std::getenv("CERTCAST_REAL_PARTS");
    const bool is_required = wanted != nullptr && std::string(wanted) == "required";
    CHECK_MESSAGE(!is_required, program, " is not there; tests/install_packages.sh real");
    if (!is_required) MESSAGE("skipped: ", program, " is not there");
    return false;
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
