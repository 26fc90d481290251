#pragma once

#include "tests/e2e/real_part.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace certcast::testing {

/// What tests/cdn/install.sh has put there: clients of the vendors, and AWS's signing suite.
inline std::filesystem::path installed_cdn() {
    const char* const said = std::getenv("CERTCAST_CDN");
    const char* const cache = std::getenv("XDG_CACHE_HOME");
    const char* const home = std::getenv("HOME");
    if (said != nullptr) return said;
    if (cache != nullptr) return std::filesystem::path(cache) / "certcast/cdn";
    return std::filesystem::path(home != nullptr ? home : "/nonexistent") / ".cache/certcast/cdn";
}

/// Where it is not there, the test is to return.
inline bool cdn_is_installed() {
    return std::filesystem::exists(installed_cdn() / "installed-lock.json") ||
           skip("the vendors' clients are not there; tests/run.sh --cdn installs them");
}

}  // namespace certcast::testing
